// Which rule decides about a package on a node, and what stands in its way.

import { type Fields, fieldsOf, numberOf, textOf } from './fields.ts'
import { factsText } from './table.ts'
import { bytesText } from './units.ts'

export function whyText(why: Fields): string {
  const payload = fieldsOf(why['payload'])
  const [have, size] = [numberOf(payload['have']), numberOf(payload['size'])]
  const line = textOf(why['line']) ?? textOf(fieldsOf(why['rule'])['line'])
  return factsText({
    package: textOf(why['package']),
    revision: textOf(why['revision']),
    desired: textOf(why['desired']),
    rule: line === undefined ? undefined : `policy.yaml line ${line}`,
    installed: `${textOf(why['installed']) ?? 'not installed'}${why['byBanyan'] === true ? ', by banyan' : ''}`,
    difference: textOf(why['difference']),
    payload:
      have === undefined || size === undefined
        ? undefined
        : `${bytesText(have)} of ${bytesText(size)}, ${textOf(payload['state']) ?? '?'}`,
    reason: textOf(why['reason']),
  })
}
