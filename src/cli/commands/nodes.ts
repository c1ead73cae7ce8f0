// `banyan nodes`: every node known here, and how old that knowledge is.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask, fieldOf } from '../daemon.ts'
import { show } from '../output.ts'
import { nodeListText } from '../text/node-list.ts'

export const nodesCommand: Command = {
  command: 'nodes',
  describe: 'list every node known here, and how old that knowledge is',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const nodes = fieldOf(await ask(homeOf(args), 'GET /nodes'), 'nodes')
    await show(nodes, jsonOf(args), (known = []) => nodeListText(known))
    return exitCodes.done
  },
}
