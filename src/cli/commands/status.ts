// `banyan status`: this node and its subtree at a glance.

import { systemClock } from '../../world/clock.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { show } from '../output.ts'
import { statusText } from '../text/status.ts'

export const statusCommand: Command = {
  command: 'status',
  describe: 'show this node and its subtree at a glance',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const status = await ask(homeOf(args), 'GET /status')
    await show(status, jsonOf(args), (known) => statusText(known, systemClock.now()))
    return exitCodes.done
  },
}
