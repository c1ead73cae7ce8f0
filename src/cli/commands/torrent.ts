// `banyan torrent`: writes a .torrent file with which ordinary clients take a package from this
// node.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Failure, messageOf } from '../../model/failure.ts'
import { targetText } from '../../model/packages/target.ts'
import {
  type Command,
  exitCodes,
  homeOf,
  homeOption,
  jsonOf,
  jsonOption,
  optionalTextOf,
  positionalOf,
} from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'

export const torrentCommand: Command = {
  command: 'torrent <name> [release]',
  describe: 'write a .torrent file with which ordinary BitTorrent clients take a package from this node',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('name', { type: 'string', describe: "the package's name" })))
      .positional('release', {
        type: 'string',
        describe: "the package's version (default: the one in the trusted revision)",
      })
      .option('arch', { type: 'string', requiresArg: true, describe: 'architecture, where the package has several' })
      .option('for', {
        type: 'string',
        requiresArg: true,
        describe: 'facts of the machines that it is for, where the package has several builds',
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'file to write (default: NAME_VERSION.torrent)',
      })
      .example('$0 torrent shop --output /srv/www/shop.torrent', ''),
  run: async (args) => {
    const target = optionalTextOf(args, 'for')
    const query = {
      version: optionalTextOf(args, 'release'),
      arch: optionalTextOf(args, 'arch'),
      target: target === undefined ? undefined : await sameTextOf(target),
    }
    const answer = await ask(homeOf(args), 'GET /torrents/:name', { name: positionalOf(args, 'name'), query })
    const { name, version, announce, torrent = '' } = answer.known
    const file = path.resolve(optionalTextOf(args, 'output') ?? `${name}_${version}.torrent`)
    await writeFile(file, Buffer.from(torrent, 'base64')).catch((error) => {
      throw new Failure('disk', `${file}: ${messageOf(error)}`, { cause: error })
    })
    const { torrent: _, ...about } = answer.json as Readonly<Record<string, unknown>>
    await (jsonOf(args) ? printJson({ ...about, file }) : print(`wrote ${file}: ${name} ${version}, from ${announce}`))
    return exitCodes.done
  },
}

/** The facts in the order in which the daemon names them. */
async function sameTextOf(target: string): Promise<string> {
  const { parseTarget } = await import('../../model/packages/target-schema.ts')
  return targetText(parseTarget([target], '--for'))
}
