// `banyan check`: how this machine differs from its desired state.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { show } from '../output.ts'
import { checkText, verdictOf } from '../text/check.ts'

export const checkCommand: Command = {
  command: 'check',
  describe: 'show how this machine differs from its desired state; exit code 3 if it does',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const check = await ask(homeOf(args), 'GET /check')
    await show(check, jsonOf(args), checkText)
    // A machine that has not been compared with the newest revision yet may differ.
    return ['differs', 'unread', 'not-looked'].includes(verdictOf(check.known)) ? exitCodes.differences : exitCodes.done
  },
}
