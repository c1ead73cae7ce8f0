// `banyan rollback`: releases an earlier revision's desired state again, as a new revision.

import {
  type Command,
  countArgumentOf,
  exitCodes,
  homeOf,
  homeOption,
  jsonOf,
  jsonOption,
  optionalTextOf,
} from '../command.ts'
import { ask, askForLines } from '../daemon.ts'
import { withProgress } from '../progress.ts'
import { showPlan } from './plan.ts'
import { releaseOptions, showReleased } from './release.ts'

export const rollbackCommand: Command = {
  command: 'rollback <revision>',
  describe: "release an earlier revision's desired state again, as a new revision",
  builder: (argv) =>
    releaseOptions(
      jsonOption(
        homeOption(argv.positional('revision', { type: 'string', describe: 'number of the earlier revision' })),
      ),
    )
      .option('dry-run', { type: 'boolean', default: false, describe: 'sign nothing: show what it would change' })
      .example('$0 rollback 41', 'back to what revision 41 wanted'),
  run: async (args) => {
    const revision = countArgumentOf(args, 'revision')
    if (args['dry-run'] === true) {
      return await showPlan(await ask(homeOf(args), 'POST /rollback/plan', { body: { revision } }), jsonOf(args))
    }
    const message = optionalTextOf(args, 'message') ?? ''
    const body = { revision, message, allowRemovals: args['allow-removals'] === true }
    const released = await withProgress('rollback', (onLine) =>
      askForLines(homeOf(args), 'POST /rollback', { body }, { result: 'released', onLine }),
    )
    await showReleased(released, jsonOf(args))
    return exitCodes.done
  },
}
