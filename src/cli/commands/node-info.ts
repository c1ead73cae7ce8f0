// `banyan node-info`: everything known here about one node.

import { systemClock } from '../../world/clock.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, positionalOf } from '../command.ts'
import { ask } from '../daemon.ts'
import { show } from '../output.ts'
import { nodeInfoText } from '../text/node-info.ts'

export const nodeInfoCommand: Command = {
  command: 'node-info <name>',
  describe: 'show everything known here about one node',
  builder: (argv) => jsonOption(homeOption(argv.positional('name', { type: 'string', describe: "the node's name" }))),
  run: async (args) => {
    const info = await ask(homeOf(args), 'GET /nodes/:name', { name: positionalOf(args, 'name') })
    await show(info, jsonOf(args), (known) => nodeInfoText(known, systemClock.now()))
    return exitCodes.done
  },
}
