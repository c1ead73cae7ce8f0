// `banyan status`: this node and its subtree at a glance.

import { systemClock } from '../../world/clock.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { statusText } from '../text/status.ts'

export const statusCommand: Command = {
  command: 'status',
  describe: 'the tree as known here, in short',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const status = await ask(homeOf(args), 'GET', '/status')
    await (jsonOf(args) ? printJson(status) : print(statusText(status, systemClock.now())))
    return exitCodes.done
  },
}
