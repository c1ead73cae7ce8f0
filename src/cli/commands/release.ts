// `banyan release`: compiles, signs and publishes the policy as the next revision.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption, optionalTextOf } from '../command.ts'
import { ask, askForLines } from '../daemon.ts'
import { note, print, printJson } from '../output.ts'
import { openProgress } from '../progress.ts'
import { fieldsOf, numberOf, textOf, textsOf } from '../text/fields.ts'
import { countText } from '../text/units.ts'
import { showPlan } from './plan.ts'

export const releaseCommand: Command = {
  command: 'release',
  describe: 'compile, sign and publish the policy as the next revision',
  builder: (argv) =>
    jsonOption(homeOption(argv))
      .option('message', { alias: 'm', type: 'string', requiresArg: true, describe: 'what this release is about' })
      .option('allow-removals', {
        type: 'boolean',
        default: false,
        describe: 'release even if it removes a large share of what is installed',
      })
      .option('allow-missing-dependencies', {
        type: 'boolean',
        default: false,
        describe: 'release even if nodes would not have what packages need',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'sign nothing; the same as banyan plan' })
      .example('$0 release -m "openssl 3.0.19"', ''),
  run: async (args) => {
    if (args['dry-run'] === true) return await showPlan(await ask(homeOf(args), 'GET', '/plan'), jsonOf(args))
    const progress = openProgress('release')
    const body = {
      message: optionalTextOf(args, 'message') ?? '',
      allowRemovals: args['allow-removals'] === true,
      allowMissing: args['allow-missing-dependencies'] === true,
    }
    const released = await askForLines(homeOf(args), '/release', body, 'released', (line) => {
      progress.show({ step: textOf(line['step']) ?? '', done: numberOf(line['done']), total: numberOf(line['total']) })
    }).finally(() => progress.end())
    await showReleased(released, jsonOf(args))
    return exitCodes.done
  },
}

export async function showReleased(released: unknown, isJson: boolean): Promise<void> {
  if (isJson) {
    await printJson(released)
    return
  }
  const { number, packages, warnings } = fieldsOf(released)
  for (const warning of textsOf(warnings)) await note(`warning: ${warning}`)
  await print(`released revision ${textOf(number) ?? '?'} with ${countText(numberOf(packages) ?? 0, 'package')}`)
}
