// `banyan plan`: what releasing the present policy would change.

import { type Command, type ExitCode, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { note, print, printJson } from '../output.ts'
import { type Fields, numberOf, textsOf } from '../text/fields.ts'
import { planText } from '../text/plan.ts'

export const planCommand: Command = {
  command: 'plan',
  describe: 'what releasing the present policy would change; exit code 3 if anything does',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => await showPlan(await ask(homeOf(args), 'GET', '/plan'), jsonOf(args)),
}

export async function showPlan(plan: Fields, isJson: boolean): Promise<ExitCode> {
  if (isJson) await printJson(plan)
  else {
    for (const warning of textsOf(plan['warnings'])) await note(`warning: ${warning}`)
    await print(planText(plan))
  }
  return (numberOf(plan['changing']) ?? 0) > 0 ? exitCodes.differences : exitCodes.done
}
