// `banyan why`: which rule decides about a package on this node, and what stands in its way.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, positionalOf } from '../command.ts'
import { ask } from '../daemon.ts'
import { show } from '../output.ts'
import { whyText } from '../text/why.ts'

export const whyCommand: Command = {
  command: 'why <package>',
  describe: 'show which rule decides about a package on this node, and what stands in its way',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('package', { type: 'string', describe: "the package's name" }))),
  run: async (args) => {
    const why = await ask(homeOf(args), 'GET /why/:name', { name: positionalOf(args, 'package') })
    await show(why, jsonOf(args), whyText)
    return exitCodes.done
  },
}
