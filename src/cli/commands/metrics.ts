// `banyan metrics`: this node and its subtree as numbers, for programs that watch.

import { type Command, exitCodes, homeOf, homeOption } from '../command.ts'
import { askForText } from '../daemon.ts'
import { print } from '../output.ts'

export const metricsCommand: Command = {
  command: 'metrics',
  describe: 'this node and its subtree as numbers, in OpenMetrics text',
  builder: (argv) => homeOption(argv),
  run: async (args) => {
    await print((await askForText(homeOf(args), '/metrics')).trimEnd())
    return exitCodes.done
  },
}
