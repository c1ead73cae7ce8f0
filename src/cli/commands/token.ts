// `banyan token create`: prints a join string.

import { limits } from '../../model/limits.ts'
import {
  type Command,
  countOf,
  exitCodes,
  homeOf,
  homeOption,
  jsonOf,
  jsonOption,
  textOf,
  textsOf,
} from '../command.ts'
import { ask } from '../daemon.ts'
import { parseDuration } from '../duration.ts'
import { print, printJson } from '../output.ts'
import { textOf as shown } from '../text/fields.ts'

export const tokenCommand: Command = {
  command: 'token <action>',
  describe: 'token create: print one join string, for `banyan join` on another machine',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('action', { type: 'string', choices: ['create'], describe: 'create' })))
      .option('ttl', {
        type: 'string',
        requiresArg: true,
        default: '1h',
        describe: 'how long it can be used: 30s, 15m, 1h, 7d',
      })
      .option('uses', { type: 'string', requiresArg: true, default: '1', describe: 'how many nodes may join by it' })
      .option('parent', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'https://ADDRESS:PORT to join below (default: this root)',
      })
      .example('$0 token create --ttl 15m --uses 20', ''),
  run: async (args) => {
    const parents = textsOf(args, 'parent')
    const { token } = await ask(homeOf(args), 'POST', '/tokens', {
      ttlMs: parseDuration(textOf(args, 'ttl'), '--ttl'),
      uses: countOf(args, 'uses', 1, limits.tokenUsesMax),
      ...(parents.length > 0 && { parents }),
    })
    await (jsonOf(args) ? printJson({ token }) : print(shown(token) ?? ''))
    return exitCodes.done
  },
}
