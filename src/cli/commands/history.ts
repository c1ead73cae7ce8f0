// `banyan history` and `banyan diff`: the released revisions, and how two of them differ.

import { type Command, countArgumentOf, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask, fieldOf } from '../daemon.ts'
import { show } from '../output.ts'
import { changesText, historyText } from '../text/history.ts'

export const historyCommand: Command = {
  command: 'history',
  describe: 'list the released revisions, newest first, and what each changed',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const revisions = fieldOf(await ask(homeOf(args), 'GET /history'), 'revisions')
    await show(revisions, jsonOf(args), (known = []) => historyText(known))
    return exitCodes.done
  },
}

export const diffCommand: Command = {
  command: 'diff <from> <to>',
  describe: 'show how the desired states of two revisions differ',
  builder: (argv) =>
    jsonOption(
      homeOption(
        argv
          .positional('from', { type: 'string', describe: 'number of the earlier revision' })
          .positional('to', { type: 'string', describe: 'number of the later revision' }),
      ),
    ),
  run: async (args) => {
    const body = { from: countArgumentOf(args, 'from'), to: countArgumentOf(args, 'to') }
    await show(await ask(homeOf(args), 'POST /diff', { body }), jsonOf(args), changesText)
    return exitCodes.done
  },
}
