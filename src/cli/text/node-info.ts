// Everything known of one node.

import type { Instant } from '../../model/names.ts'
import { type Fields, fieldsOf, listOf, textOf, textsOf } from './fields.ts'
import { heardText, stateText } from './node-list.ts'
import { outcomeListText } from './outcomes.ts'
import { factsText } from './table.ts'

export function nodeInfoText(info: Fields, now: Instant): string {
  const report = fieldsOf(info['report'])
  const field = (name: string) => info[name] ?? report[name]
  const via = textOf(field('via'))
  const parts = [
    factsText({
      node: textOf(field('node')),
      state: stateText({ ...report, ...info }),
      parent: textOf(field('parent')),
      site: textOf(field('site')),
      labels: pairsText(field('labels')),
      revision: textOf(field('revision')),
      converged: textOf(field('converged')),
      heard: `${heardText(info, now)}${via === undefined || via === field('node') ? '' : ` through ${via}`}`,
      version: textOf(field('version')),
      arch: textOf(field('arch')),
      packages: countOf(field('packages')),
      failed: textOf(field('failed')),
      drifted: textOf(field('drifted')),
    }),
  ]
  const problems = textsOf(field('problems'))
  if (problems.length > 0) parts.push(['problems', ...problems.map((problem) => `  ${problem}`)].join('\n'))
  const attacks = listOf(field('attacks'))
  if (attacks.length > 0) parts.push(['attacks', ...attacks.map(attackText)].join('\n'))
  const packages = listOf(field('packages'))
  if (packages.length > 0) parts.push(outcomeListText(packages))
  return parts.join('\n\n')
}

function attackText(attack: Fields): string {
  return `  ${textOf(attack['kind']) ?? '?'} from ${textOf(attack['from']) ?? '?'}: ${textOf(attack['detail']) ?? ''}`
}

function pairsText(value: unknown): string {
  return Object.entries(fieldsOf(value))
    .map(([key, text]) => `${key}=${textOf(text) ?? '?'}`)
    .join(' ')
}

function countOf(value: unknown): string | undefined {
  return Array.isArray(value) ? String(value.length) : textOf(value)
}
