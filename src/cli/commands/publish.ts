// `banyan publish`: takes packages into the repository.

import path from 'node:path'
import type { Published } from '../../model/local-api/packages.ts'
import type { BodyOf } from '../../model/local-api/requests.ts'
import type { Target } from '../../model/packages/target.ts'
import {
  type Command,
  exitCodes,
  homeOf,
  homeOption,
  jsonOf,
  jsonOption,
  optionalTextOf,
  positionalsOf,
  UsageError,
} from '../command.ts'
import { type Answer, askForLines } from '../daemon.ts'
import { note, print, printJson } from '../output.ts'
import { withProgress } from '../progress.ts'
import { publishedText } from '../text/package-list.ts'

export const publishCommand: Command = {
  command: 'publish <path..>',
  describe: 'take .deb files, .rpm files and directories into the repository',
  builder: (argv) =>
    jsonOption(
      homeOption(
        argv.positional('path', { type: 'string', array: true, describe: '.deb file, .rpm file or directory' }),
      ),
    )
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: "the package's name (default: from the package itself)",
      })
      .option('version', {
        type: 'string',
        requiresArg: true,
        describe: "the package's version (default: from the package itself)",
      })
      .option('for', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'facts of the machines that it is for, e.g. os.codename=bookworm (default: all of its architecture)',
      })
      .example('$0 publish ./shop --version 4.2.0', '')
      .example('$0 publish probe_1.0_amd64.deb --for os.codename=bookworm', '')
      .example('$0 publish *.deb', ''),
  run: async (args) => {
    const paths = positionalsOf(args, 'path')
    const name = optionalTextOf(args, 'name')
    const version = optionalTextOf(args, 'version')
    if (paths.length > 1 && (name !== undefined || version !== undefined)) {
      throw new UsageError('--name and --version are for one path at a time', 'publish the paths one by one')
    }
    const texts = args['for'] === undefined ? [] : [args['for']].flat().map(String)
    const target = await targetOf(texts)
    const published: unknown[] = []
    try {
      for (const each of paths) {
        const body = {
          path: path.resolve(each),
          ...(name !== undefined && { name }),
          ...(version !== undefined && { version }),
          ...(target !== undefined && { target }),
        }
        const { json, known } = await publishOne(homeOf(args), each, body)
        published.push(json)
        if (jsonOf(args)) continue
        await print(publishedText(known))
        for (const warning of known.warnings ?? []) await note(`warning: ${warning}`)
      }
    } finally {
      // The packages before a failed one are in the repository, and a reader of the JSON has to
      // know.
      if (jsonOf(args)) await printJson(published)
    }
    return exitCodes.done
  },
}

async function targetOf(texts: readonly string[]): Promise<Target | undefined> {
  if (texts.length === 0) return undefined
  const { parseTarget } = await import('../../model/packages/target-schema.ts')
  return parseTarget(texts, '--for')
}

function publishOne(home: string, shown: string, body: BodyOf<'POST /publish'>): Promise<Answer<Published>> {
  return withProgress(`publish ${shown}`, (onLine) =>
    askForLines(home, 'POST /publish', { body }, { result: 'published', onLine }),
  )
}
