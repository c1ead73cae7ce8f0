// `banyan metrics`: this node and its subtree as numbers, for monitoring programs.

import { type Command, exitCodes, homeOf, homeOption } from '../command.ts'
import { askForText } from '../daemon.ts'
import { print } from '../output.ts'

export const metricsCommand: Command = {
  command: 'metrics',
  describe: 'print this node and its subtree as numbers, in OpenMetrics text',
  builder: (argv) => homeOption(argv),
  run: async (args) => {
    await print((await askForText(homeOf(args), 'GET /metrics')).trimEnd())
    return exitCodes.done
  },
}
