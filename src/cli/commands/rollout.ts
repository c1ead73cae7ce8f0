// `banyan rollout`: watches and steers the waves in which releases reach the nodes.

import {
  type Command,
  exitCodes,
  homeOf,
  homeOption,
  jsonOf,
  jsonOption,
  optionalTextOf,
  textOf,
  UsageError,
} from '../command.ts'
import { ask } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { listOf } from '../text/fields.ts'
import { rolloutListText } from '../text/rollout.ts'

const actions = ['list', 'halt', 'resume', 'advance']

export const rolloutCommand: Command = {
  command: 'rollout [action] [rollout]',
  describe: 'watch and steer the waves in which releases reach the nodes',
  builder: (argv) =>
    jsonOption(
      homeOption(
        argv
          .positional('action', {
            type: 'string',
            choices: actions,
            default: 'list',
            describe: 'list them; halt one, let it resume, or open its next wave now',
          })
          .positional('rollout', {
            type: 'string',
            describe: 'careful@12, or the name of a rollout or a package where only one is under way',
          }),
      ),
    )
      .option('because', { type: 'string', requiresArg: true, describe: 'why it is halted, for everybody who asks' })
      .example('$0 rollout halt shop --because "orders get lost"', ''),
  run: async (args) => {
    const action = textOf(args, 'action')
    const rollout = optionalTextOf(args, 'rollout')
    const because = optionalTextOf(args, 'because')
    if (because !== undefined && action !== 'halt') throw new UsageError('--because goes with halt')
    if (action === 'list') {
      const { rollouts } = await ask(homeOf(args), 'GET', '/rollouts')
      const shown = listOf(rollouts).filter(({ name }) => rollout === undefined || name === rollout)
      await (jsonOf(args) ? printJson(shown) : print(rolloutListText(shown)))
      return exitCodes.done
    }
    if (rollout === undefined)
      throw new UsageError(`which one? banyan rollout ${action} ROLLOUT`, 'banyan rollout list')
    const info = await ask(homeOf(args), 'POST', '/rollouts', {
      action,
      rollout,
      ...(because !== undefined && { because }),
    })
    await (jsonOf(args) ? printJson(info) : print(rolloutListText([info])))
    return exitCodes.done
  },
}
