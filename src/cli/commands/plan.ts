// `banyan plan`: what releasing the present policy would change.

import type { Plan } from '../../model/local-api/releasing.ts'
import { type Command, type ExitCode, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { type Answer, ask } from '../daemon.ts'
import { note, show } from '../output.ts'
import { planText } from '../text/plan.ts'

export const planCommand: Command = {
  command: 'plan',
  describe: 'show what releasing the present policy would change; exit code 3 if a node would change',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => await showPlan(await ask(homeOf(args), 'GET /plan'), jsonOf(args)),
}

export async function showPlan(plan: Answer<Plan>, isJson: boolean): Promise<ExitCode> {
  const { warnings = [], changing = 0 } = plan.known
  if (!isJson) for (const warning of warnings) await note(`warning: ${warning}`)
  await show(plan, isJson, planText)
  return changing > 0 ? exitCodes.differences : exitCodes.done
}
