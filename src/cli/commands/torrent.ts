// `banyan torrent`: a .torrent file with which ordinary clients take a package from this node.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Failure, messageOf } from '../../model/failure.ts'
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
import { textOf } from '../text/fields.ts'

export const torrentCommand: Command = {
  command: 'torrent <name> [release]',
  describe: 'write a .torrent file with which ordinary clients take a package from this node',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('name', { type: 'string', describe: "the package's name" })))
      .positional('release', { type: 'string', describe: 'its version (default: the one that the revision names)' })
      .option('arch', { type: 'string', requiresArg: true, describe: 'its architecture, where there are several' })
      .option('output', { type: 'string', requiresArg: true, describe: 'the file (default: NAME_VERSION.torrent)' })
      .example('$0 torrent shop --output /srv/www/shop.torrent', ''),
  run: async (args) => {
    const wanted = { version: optionalTextOf(args, 'release'), arch: optionalTextOf(args, 'arch') }
    const query = new URLSearchParams(Object.entries(wanted).flatMap(([key, value]) => (value ? [[key, value]] : [])))
    const name = encodeURIComponent(positionalOf(args, 'name'))
    const { torrent, ...about } = await ask(homeOf(args), 'GET', `/torrents/${name}?${query}`)
    const file = path.resolve(
      optionalTextOf(args, 'output') ?? `${textOf(about['name'])}_${textOf(about['version'])}.torrent`,
    )
    await writeFile(file, Buffer.from(textOf(torrent) ?? '', 'base64')).catch((error) => {
      throw new Failure('disk', `${file}: ${messageOf(error)}`, { cause: error })
    })
    await (jsonOf(args)
      ? printJson({ ...about, file })
      : print(`wrote ${file}: ${textOf(about['name'])} ${textOf(about['version'])}, from ${textOf(about['announce'])}`))
    return exitCodes.done
  },
}
