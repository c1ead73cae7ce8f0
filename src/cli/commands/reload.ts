// `banyan reload`: has a running daemon read its settings again.

import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { show } from '../output.ts'

export const reloadCommand: Command = {
  command: 'reload',
  describe: 'have the running daemon read its settings again',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    await show(await ask(homeOf(args), 'POST /reload'), jsonOf(args), reloadText)
    return exitCodes.done
  },
}

function reloadText({ changed = [], needRestart = [] }: Readable<AnswerOf<'POST /reload'>>): string {
  return [
    changed.length === 0 ? 'nothing changed that a running node takes on' : `in force now: ${changed.join(', ')}`,
    ...(needRestart.length === 0 ? [] : [`after a restart: ${needRestart.join(', ')}`]),
  ].join('\n')
}
