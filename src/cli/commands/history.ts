// `banyan history` and `banyan diff`: what was released, and what one revision wants otherwise than another.

import { type Command, countArgumentOf, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { listOf } from '../text/fields.ts'
import { changesText, historyText } from '../text/history.ts'

export const historyCommand: Command = {
  command: 'history',
  describe: 'the revisions that were released, newest first, and what each changed',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const { revisions } = await ask(homeOf(args), 'GET', '/history')
    await (jsonOf(args) ? printJson(revisions) : print(historyText(listOf(revisions))))
    return exitCodes.done
  },
}

export const diffCommand: Command = {
  command: 'diff <from> <to>',
  describe: 'what one revision wants otherwise than another',
  builder: (argv) =>
    jsonOption(
      homeOption(
        argv
          .positional('from', { type: 'string', describe: 'number of a revision' })
          .positional('to', { type: 'string', describe: 'number of another' }),
      ),
    ),
  run: async (args) => {
    const body = { from: countArgumentOf(args, 'from'), to: countArgumentOf(args, 'to') }
    const changes = await ask(homeOf(args), 'POST', '/diff', body)
    await (jsonOf(args) ? printJson(changes) : print(changesText(changes)))
    return exitCodes.done
  },
}
