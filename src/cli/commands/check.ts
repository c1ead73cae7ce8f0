// `banyan check`: how this machine differs from what the policy wants of it.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { checkText, verdictOf } from '../text/check.ts'

export const checkCommand: Command = {
  command: 'check',
  describe: 'what differs on this node; exit code 3 if anything does',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const check = await ask(homeOf(args), 'GET', '/check')
    await (jsonOf(args) ? printJson(check) : print(checkText(check)))
    // A machine that was not compared with the newest revision yet is not known to be as it should.
    return ['differs', 'not-looked'].includes(verdictOf(check)) ? exitCodes.differences : exitCodes.done
  },
}
