// `banyan rollback`: an earlier revision's desired state again, as a new revision.

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
import { openProgress } from '../progress.ts'
import { numberOf, textOf } from '../text/fields.ts'
import { showPlan } from './plan.ts'
import { showReleased } from './release.ts'

export const rollbackCommand: Command = {
  command: 'rollback <revision>',
  describe: "release an earlier revision's desired state again, as a new revision",
  builder: (argv) =>
    jsonOption(homeOption(argv.positional('revision', { type: 'string', describe: 'its number' })))
      .option('message', { alias: 'm', type: 'string', requiresArg: true, describe: 'what this release is about' })
      .option('allow-removals', {
        type: 'boolean',
        default: false,
        describe: 'release even if it removes a large share of what is installed',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'sign nothing; say what it would change' })
      .example('$0 rollback 41', 'as it was at revision 41'),
  run: async (args) => {
    const revision = countArgumentOf(args, 'revision')
    if (args['dry-run'] === true) {
      return await showPlan(await ask(homeOf(args), 'POST', '/rollback/plan', { revision }), jsonOf(args))
    }
    const progress = openProgress('rollback')
    const message = optionalTextOf(args, 'message') ?? ''
    const body = { revision, message, allowRemovals: args['allow-removals'] === true }
    const released = await askForLines(homeOf(args), '/rollback', body, 'released', (line) => {
      progress.show({ step: textOf(line['step']) ?? '', done: numberOf(line['done']), total: numberOf(line['total']) })
    }).finally(() => progress.end())
    await showReleased(released, jsonOf(args))
    return exitCodes.done
  },
}
