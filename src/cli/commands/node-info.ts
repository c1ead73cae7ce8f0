// `banyan node-info`: everything known here of one node.

import { systemClock } from '../../world/clock.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, positionalOf } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { nodeInfoText } from '../text/node-info.ts'

export const nodeInfoCommand: Command = {
  command: 'node-info <name>',
  describe: 'everything known here of one node',
  builder: (argv) => jsonOption(homeOption(argv.positional('name', { type: 'string', describe: "the node's name" }))),
  run: async (args) => {
    const info = await ask(homeOf(args), 'GET', `/nodes/${encodeURIComponent(positionalOf(args, 'name'))}`)
    await (jsonOf(args) ? printJson(info) : print(nodeInfoText(info, systemClock.now())))
    return exitCodes.done
  },
}
