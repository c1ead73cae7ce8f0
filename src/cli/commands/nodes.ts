// `banyan nodes`: every node known here, and how old that knowledge is.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { listOf } from '../text/fields.ts'
import { nodeListText } from '../text/node-list.ts'

export const nodesCommand: Command = {
  command: 'nodes',
  describe: 'every node known here, and how old that knowledge is',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const { nodes } = await ask(homeOf(args), 'GET', '/nodes')
    await (jsonOf(args) ? printJson(nodes) : print(nodeListText(listOf(nodes))))
    return exitCodes.done
  },
}
