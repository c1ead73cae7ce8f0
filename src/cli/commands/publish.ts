// `banyan publish`: takes packages into the repository.

import path from 'node:path'
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
import { askForLines } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { openProgress } from '../progress.ts'
import { fieldsOf, numberOf, textOf } from '../text/fields.ts'
import { publishedText } from '../text/package-list.ts'

export const publishCommand: Command = {
  command: 'publish <path..>',
  describe: 'take .deb or .rpm files or directories into the repository',
  builder: (argv) =>
    jsonOption(
      homeOption(argv.positional('path', { type: 'string', array: true, describe: '.deb, .rpm or directory' })),
    )
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: "the package's name (default: what the package says)",
      })
      .option('version', { type: 'string', requiresArg: true, describe: "the package's version (default: likewise)" })
      .example('$0 publish ./shop --version 4.2.0', '')
      .example('$0 publish *.deb', ''),
  run: async (args) => {
    const paths = positionalsOf(args, 'path')
    const name = optionalTextOf(args, 'name')
    const version = optionalTextOf(args, 'version')
    if (paths.length > 1 && (name !== undefined || version !== undefined)) {
      throw new UsageError('--name and --version are for one path at a time', 'publish the paths one by one')
    }
    const home = homeOf(args)
    const published: unknown[] = []
    try {
      for (const each of paths) {
        const body = {
          path: path.resolve(each),
          ...(name !== undefined && { name }),
          ...(version !== undefined && { version }),
        }
        const result = await publishOne(home, each, body)
        published.push(result)
        if (!jsonOf(args)) await print(publishedText(fieldsOf(result)))
      }
    } finally {
      // Those before a failed one are in the repository, and whoever reads the JSON has to know.
      if (jsonOf(args)) await printJson(published)
    }
    return exitCodes.done
  },
}

async function publishOne(home: string, shown: string, body: unknown): Promise<unknown> {
  const progress = openProgress(`publish ${shown}`)
  try {
    return await askForLines(home, '/publish', body, 'published', (line) => {
      progress.show({ step: textOf(line['step']) ?? '', done: numberOf(line['done']), total: numberOf(line['total']) })
    })
  } finally {
    progress.end()
  }
}
