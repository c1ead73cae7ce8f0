// `banyan why`: which rule decides about a package on this node, and what stands in its way.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, positionalOf } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { whyText } from '../text/why.ts'

export const whyCommand: Command = {
  command: 'why <package>',
  describe: 'which rule decides about a package on this node',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('package', { type: 'string', describe: "the package's name" }))),
  run: async (args) => {
    const why = await ask(homeOf(args), 'GET', `/why/${encodeURIComponent(positionalOf(args, 'package'))}`)
    await (jsonOf(args) ? printJson(why) : print(whyText(why)))
    return exitCodes.done
  },
}
