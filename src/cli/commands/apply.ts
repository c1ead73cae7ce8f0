// `banyan apply`: carries out the plan of this node now, instead of at its next look.

import type { ApplyLine } from '../../model/local-api/machine.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { askForLines } from '../daemon.ts'
import { show } from '../output.ts'
import { withProgress } from '../progress.ts'
import { outcomeListText } from '../text/outcomes.ts'
import { countText } from '../text/units.ts'

export const applyCommand: Command = {
  command: 'apply',
  describe: 'carry out the plan of this node now; exit code 1 if a package failed or could not be looked at',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    const outcomes = await withProgress('apply', (showStep) =>
      askForLines(
        homeOf(args),
        'POST /apply',
        {},
        { result: 'outcomes', onLine: (line) => showStep({ step: stepText(line) }) },
      ),
    )
    await show(outcomes, jsonOf(args), outcomeListText)
    return outcomes.known.some(({ outcome }) => outcome === 'failed' || outcome === 'unread')
      ? exitCodes.failed
      : exitCodes.done
  },
}

function stepText({ progress = {} }: Readable<ApplyLine>): string {
  const { applying, revision, differences = [] } = progress
  const what =
    revision === undefined || revision === null
      ? 'no revision is here yet'
      : `${countText(differences.length, 'difference')} to revision ${revision}`
  return applying === true ? `${what}, applying` : what
}
