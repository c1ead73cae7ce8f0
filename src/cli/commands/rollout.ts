// `banyan rollout`: shows and steers the waves in which releases reach the nodes.

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
import { ask, fieldOf, itemsOf } from '../daemon.ts'
import { print, printJson, show } from '../output.ts'
import { rolloutListText } from '../text/rollout.ts'

const steering = ['halt', 'resume', 'advance'] as const

export const rolloutCommand: Command = {
  command: 'rollout [action] [rollout]',
  describe: 'show and steer the waves in which releases reach the nodes',
  builder: (argv) =>
    jsonOption(
      homeOption(
        argv
          .positional('action', {
            type: 'string',
            choices: ['list', ...steering],
            default: 'list',
            describe: 'list all; halt or resume one; advance one: open its next wave now',
          })
          .positional('rollout', {
            type: 'string',
            describe: 'careful@12, or the name of a rollout or package with only one rollout under way',
          }),
      ),
    )
      .option('because', {
        type: 'string',
        requiresArg: true,
        describe: 'why it is halted, for everybody who lists it',
      })
      .example('$0 rollout halt shop --because "orders get lost"', ''),
  run: async (args) => {
    const action = textOf(args, 'action')
    const rollout = optionalTextOf(args, 'rollout')
    const because = optionalTextOf(args, 'because')
    if (because !== undefined && action !== 'halt') throw new UsageError('--because goes with halt')
    const steered = steering.find((each) => each === action)
    if (steered === undefined) {
      await showRollouts(homeOf(args), rollout, jsonOf(args))
      return exitCodes.done
    }
    if (rollout === undefined) {
      throw new UsageError(`which rollout? banyan rollout ${action} ROLLOUT`, 'banyan rollout list shows them')
    }
    const body = { action: steered, rollout, ...(because !== undefined && { because }) }
    const info = await ask(homeOf(args), 'POST /rollouts', { body })
    await show(info, jsonOf(args), (known) => rolloutListText([known]))
    return exitCodes.done
  },
}

/** All rollouts, or the one of that name. */
async function showRollouts(home: string, name: string | undefined, isJson: boolean): Promise<void> {
  const all = itemsOf(fieldOf(await ask(home, 'GET /rollouts'), 'rollouts'))
  const shown = all.filter(({ known }) => name === undefined || known.name === name)
  await (isJson ? printJson(shown.map(({ json }) => json)) : print(rolloutListText(shown.map(({ known }) => known))))
}
