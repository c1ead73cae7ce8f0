// `banyan reload`: a running node takes on what was changed in its settings.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { fieldsOf } from '../text/fields.ts'

export const reloadCommand: Command = {
  command: 'reload',
  describe: 'have the running node take on its changed settings',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const reloaded = await ask(homeOf(args), 'POST', '/reload', {})
    await (jsonOf(args) ? printJson(reloaded) : print(textOfReload(fieldsOf(reloaded))))
    return exitCodes.done
  },
}

function textOfReload(reloaded: Readonly<Record<string, unknown>>): string {
  const keysOf = (name: string) => (Array.isArray(reloaded[name]) ? reloaded[name].join(', ') : '')
  const [changed, needRestart] = [keysOf('changed'), keysOf('needRestart')]
  return [
    changed === '' ? 'nothing changed that a running node takes on' : `in force now: ${changed}`,
    ...(needRestart === '' ? [] : [`after a restart: ${needRestart}`]),
  ].join('\n')
}
