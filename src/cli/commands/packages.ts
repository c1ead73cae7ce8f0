// `banyan packages` and `banyan package`: what the repository holds.

import { systemClock } from '../../world/clock.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, positionalOf } from '../command.ts'
import { ask, fieldOf } from '../daemon.ts'
import { show } from '../output.ts'
import { packageListText, packageText } from '../text/package-list.ts'

export const packagesCommand: Command = {
  command: 'packages',
  describe: 'list the packages of the repository',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const packages = fieldOf(await ask(homeOf(args), 'GET /packages'), 'packages')
    await show(packages, jsonOf(args), (known = []) => packageListText(known))
    return exitCodes.done
  },
}

export const packageCommand: Command = {
  command: 'package <name>',
  describe: 'show every version of one package',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('name', { type: 'string', describe: "the package's name" }))),
  run: async (args) => {
    const name = positionalOf(args, 'name')
    const versions = fieldOf(await ask(homeOf(args), 'GET /packages/:name', { name }), 'versions')
    await show(versions, jsonOf(args), (known = []) => packageText(known, systemClock.now()))
    return exitCodes.done
  },
}
