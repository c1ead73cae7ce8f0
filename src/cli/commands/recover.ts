// `banyan recover`: has a root that was restored from an older copy go on above what its fleet has
// seen.

import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import { type Command, exitCodes, homeOf, homeOption, jsonOf, jsonOption } from '../command.ts'
import { ask } from '../daemon.ts'
import { show } from '../output.ts'

export const recoverCommand: Command = {
  command: 'recover',
  describe:
    'after this root was restored from an older copy: have the next release go on above what the fleet has seen',
  builder: (argv) => jsonOption(homeOption(argv)),
  run: async (args) => {
    await show(await ask(homeOf(args), 'POST /recover'), jsonOf(args), recoverText)
    return exitCodes.done
  },
}

function recoverText({ recovered }: Readable<AnswerOf<'POST /recover'>>): string {
  if (recovered === null || recovered === undefined) {
    return 'nothing to recover: no majority of the children trusts anything newer than this root has signed'
  }
  const { version = '?', signed = '?' } = recovered
  return [
    `the fleet trusts version ${version} of the metadata, this root had signed ${signed}: the next release goes above both`,
    '',
    'What was published and written into policy.yaml after the copy is not here: publish it again, compare with',
    'banyan plan, then banyan release. Nodes that joined after the copy are known by their certificates, and who was',
    'revoked after the copy is known from the children.',
  ].join('\n')
}
