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
    return 'nothing to recover: the children trust nothing newer than this root has signed'
  }
  const { version = '?', signed = '?', revision, takenBack = [], missing = [] } = recovered
  if (typeof revision !== 'number') {
    return [
      `the fleet trusts version ${version} of the metadata, this root had signed ${signed}: the next release goes above both`,
      '',
      'No child has sent that metadata. What was published and written into policy.yaml after the copy is not here:',
      'publish it again, compare with banyan plan, then banyan release.',
      ...known,
    ].join('\n')
  }
  return [
    `the fleet trusts version ${version} of the metadata, this root had signed ${signed}: revision ${revision} is in ` +
      'force here again, and the next release goes above both',
    ...(takenBack.length > 0 ? ['', 'published here again, payloads come from the children:'] : []),
    ...takenBack.map((each) => `  ${each}`),
    ...(missing.length > 0 ? ['', 'not taken back (banyan recover tries again, or publish them again):'] : []),
    ...missing.map((each) => `  ${each}`),
    '',
    'policy.yaml is that of the copy: banyan plan shows how it differs from what is in force.',
    ...known,
  ].join('\n')
}

const known = [
  'Nodes that joined after the copy are known by their certificates, and who was revoked after the copy is known',
  'from the children.',
]
