// `banyan apply`: carries the plan of this node out now, instead of at the next look.

import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { askForLines } from '../daemon.ts'
import { print, printJson } from '../output.ts'
import { openProgress } from '../progress.ts'
import { fieldsOf, listOf, textOf } from '../text/fields.ts'
import { outcomeListText } from '../text/outcomes.ts'
import { countText } from '../text/units.ts'

export const applyCommand: Command = {
  command: 'apply',
  describe: 'carry out the plan of this node now',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const progress = openProgress('apply')
    const outcomes = await askForLines(homeOf(args), '/apply', {}, 'outcomes', (line) => {
      progress.show({ step: stepOf(fieldsOf(line['progress'])) })
    }).finally(() => progress.end())
    await (jsonOf(args) ? printJson(outcomes) : print(outcomeListText(listOf(outcomes))))
    return listOf(outcomes).some(({ outcome }) => outcome === 'failed') ? exitCodes.failed : exitCodes.done
  },
}

function stepOf(progress: Readonly<Record<string, unknown>>): string {
  const differences = Array.isArray(progress['differences']) ? progress['differences'].length : 0
  const revision = textOf(progress['revision'])
  const what =
    revision === undefined
      ? 'no revision is here yet'
      : `${countText(differences, 'difference')} to revision ${revision}`
  return progress['applying'] === true ? `${what}, applying` : what
}
