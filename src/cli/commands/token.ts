// `banyan token create`: prints a token, with which other machines join the tree.

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
import { show } from '../output.ts'

export const tokenCommand: Command = {
  command: 'token <action>',
  describe: 'token create: print a token for `banyan join` on another machine',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('action', { type: 'string', choices: ['create'], describe: 'create' })))
      .option('ttl', {
        type: 'string',
        requiresArg: true,
        default: '1h',
        describe: 'how long the token can be used: 30s, 15m, 1h, 7d',
      })
      .option('uses', { type: 'string', requiresArg: true, default: '1', describe: 'how many nodes may join with it' })
      .option('parent', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'https://[NAME@]ADDRESS:PORT of a parent to join below; may be repeated (default: this root)',
      })
      .example('$0 token create --ttl 15m --uses 20', ''),
  run: async (args) => {
    const parents = textsOf(args, 'parent')
    const body = {
      ttlMs: parseDuration(textOf(args, 'ttl'), '--ttl'),
      uses: countOf(args, 'uses', 1, limits.tokenUsesMax) ?? 1,
      ...(parents.length > 0 && { parents }),
    }
    await show(await ask(homeOf(args), 'POST /tokens', { body }), jsonOf(args), ({ token = '' }) => token)
    return exitCodes.done
  },
}
