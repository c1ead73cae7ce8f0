// Which rule decides about a package on a node, and what stands in its way.

import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import { factsText } from './table.ts'
import { bytesText } from './units.ts'

export function whyText(why: Readable<AnswerOf<'GET /why/:name'>>): string {
  const { line, payload } = why
  return factsText({
    package: why.package,
    revision: why.revision,
    desired: why.desired,
    rule: line === undefined || line === null ? undefined : `policy.yaml line ${line}`,
    installed: `${why.installed ?? 'not installed'}${why.byBanyan === true ? ', by banyan' : ''}`,
    difference: why.difference,
    payload:
      payload?.have === undefined || payload.size === undefined
        ? undefined
        : `${bytesText(payload.have)} of ${bytesText(payload.size)}, ${payload.state ?? '?'}`,
    reason: why.reason,
  })
}
