// `banyan release`: compiles, signs and publishes the policy as the next revision.

import type { Argv } from 'yargs'
import type { Released } from '../../model/local-api/releasing.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, optionalTextOf } from '../command.ts'
import { type Answer, ask, askForLines } from '../daemon.ts'
import { note, show } from '../output.ts'
import { withProgress } from '../progress.ts'
import { countText } from '../text/units.ts'
import { showPlan } from './plan.ts'

export const releaseCommand: Command = {
  command: 'release',
  describe: 'compile, sign and publish the policy as the next revision',
  builder: (argv) =>
    releaseOptions(jsonOption(homeOption(argv)))
      .option('allow-missing-dependencies', {
        type: 'boolean',
        default: false,
        describe: 'release even if nodes would lack what packages need',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'sign nothing: the same as banyan plan' })
      .example('$0 release -m "openssl 3.0.19"', ''),
  run: async (args) => {
    if (args['dry-run'] === true) return await showPlan(await ask(homeOf(args), 'GET /plan'), jsonOf(args))
    const body = {
      message: optionalTextOf(args, 'message') ?? '',
      allowRemovals: args['allow-removals'] === true,
      allowMissing: args['allow-missing-dependencies'] === true,
    }
    const released = await withProgress('release', (onLine) =>
      askForLines(homeOf(args), 'POST /release', { body }, { result: 'released', onLine }),
    )
    await showReleased(released, jsonOf(args))
    return exitCodes.done
  },
}

/** The options of everything that makes a revision. */
export function releaseOptions(argv: Argv): Argv {
  return argv
    .option('message', { alias: 'm', type: 'string', requiresArg: true, describe: 'what this release is about' })
    .option('allow-removals', {
      type: 'boolean',
      default: false,
      describe: 'release even if it removes a large share of what is installed',
    })
}

export async function showReleased(released: Answer<Released>, isJson: boolean): Promise<void> {
  const { warnings = [] } = released.known
  if (!isJson) for (const warning of warnings) await note(`warning: ${warning}`)
  await show(released, isJson, ({ number, packages }) => {
    return `released revision ${number ?? '?'} with ${countText(packages ?? 0, 'package')}`
  })
}
