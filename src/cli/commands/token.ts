// `banyan token create` prints a token, with which other machines join the tree; `banyan revoke` turns a
// node away.

import { limits } from '../../model/limits.ts'
import {
  type Command,
  countOf,
  exitCodes,
  homeOf,
  homeOption,
  jsonOf,
  jsonOption,
  optionalTextOf,
  positionalOf,
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
      .option('replaces', {
        type: 'string',
        requiresArg: true,
        describe: 'the node whose name is for whoever joins with the token; its former key is turned away then',
      })
      .option('uses', { type: 'string', requiresArg: true, default: '1', describe: 'how many nodes may join with it' })
      .option('parent', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'https://[NAME@]ADDRESS:PORT of a parent to join below; may be repeated (default: this root)',
      })
      .example('$0 token create --ttl 15m --uses 20', '')
      .example('$0 token create --replaces shop-7', ''),
  run: async (args) => {
    const parents = textsOf(args, 'parent')
    const replaces = optionalTextOf(args, 'replaces')
    const body = {
      ttlMs: parseDuration(textOf(args, 'ttl'), '--ttl'),
      uses: countOf(args, 'uses', 1, limits.tokenUsesMax) ?? 1,
      ...(parents.length > 0 && { parents }),
      ...(replaces !== undefined && { replaces }),
    }
    await show(await ask(homeOf(args), 'POST /tokens', { body }), jsonOf(args), ({ token = '' }) => token)
    return exitCodes.done
  },
}

export const revokeCommand: Command = {
  command: 'revoke <node>',
  describe: 'turn a node away for good: its key gets no certificate any more, and no answer',
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('node', { type: 'string', describe: 'its name' }))).example(
      '$0 revoke shop-7',
      '',
    ),
  run: async (args) => {
    const answer = await ask(homeOf(args), 'POST /revoke/:name', { name: positionalOf(args, 'node') })
    await show(
      answer,
      jsonOf(args),
      ({ node = '' }) =>
        `${node} is revoked. A machine that may have its name again joins with a token of\n` +
        `banyan token create --replaces ${node}`,
    )
    return exitCodes.done
  },
}
