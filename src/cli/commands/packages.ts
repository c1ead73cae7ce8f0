// `banyan packages` and `banyan package`: what the repository holds.

import { systemClock } from '../../world/clock.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, positionalOf } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { listOf } from '../text/fields.ts'
import { packageListText, packageText } from '../text/package-list.ts'

export const packagesCommand: Command = {
  command: 'packages',
  describe: 'what the repository holds',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const { packages } = await ask(homeOf(args), 'GET', '/packages')
    await (jsonOf(args) ? printJson(packages) : print(packageListText(listOf(packages))))
    return exitCodes.done
  },
}

export const packageCommand: Command = {
  command: 'package <name>',
  describe: 'every version of one package',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('name', { type: 'string', describe: "the package's name" }))),
  run: async (args) => {
    const { versions } = await ask(homeOf(args), 'GET', `/packages/${encodeURIComponent(positionalOf(args, 'name'))}`)
    await (jsonOf(args) ? printJson(versions) : print(packageText(listOf(versions), systemClock.now())))
    return exitCodes.done
  },
}
