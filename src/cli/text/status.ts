// A node and its subtree at a glance.

import type { Instant } from '../../model/names.ts'
import { type Fields, fieldsOf, numberOf, textOf } from './fields.ts'
import { stateText } from './node-list.ts'
import { factsText } from './table.ts'
import { ageText } from './units.ts'

export function statusText(status: Fields, now: Instant): string {
  const self = fieldsOf(status['self'])
  const problems = Object.values(fieldsOf(status['problems'])).flatMap((problem) => textOf(problem) ?? [])
  const parts = [
    factsText({
      node: textOf(self['node']) ?? 'no report of this node yet',
      state: status['self'] === null ? undefined : stateText(self),
      link: linkText(fieldsOf(status['link']), now),
      revision: textOf(self['revision']),
      converged: textOf(self['converged']),
    }),
    summaryText(fieldsOf(status['summary'])),
  ]
  if (problems.length > 0) parts.push(['problems', ...problems.map((problem) => `  ${problem}`)].join('\n'))
  return parts.filter((part) => part !== '').join('\n\n')
}

function linkText(link: Fields, now: Instant): string | undefined {
  switch (link['kind']) {
    case 'root':
      return 'root of the tree'
    case 'seeking':
      return 'looking for a parent'
    case 'connected':
      return `parent ${textOf(link['parent']) ?? '?'}`
    case 'island': {
      const since = numberOf(link['since'])
      return `island${since === undefined ? '' : ` (${ageText(since, now)})`}: ${textOf(link['because']) ?? ''}`
    }
    default:
      return undefined
  }
}

/** Counts a line each; a group of counts, such as nodes by state, on one line. */
function summaryText(summary: Fields): string {
  const lines: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(summary)) {
    const group = Object.entries(fieldsOf(value)).flatMap(([key, count]) => {
      const text = textOf(count)
      return text === undefined || text === '0' ? [] : [`${text} ${key}`]
    })
    lines[name] = textOf(value) ?? (group.length > 0 ? group.join(', ') : undefined)
  }
  return factsText(lines)
}
