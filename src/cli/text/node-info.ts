// Everything known of one node: the gist, and its newest report where that is here.

import type { Instant } from '../../model/names.ts'
import { type Fields, fieldsOf, listOf, numberOf, textOf, textsOf } from './fields.ts'
import { heardText } from './node-list.ts'
import { outcomeListText } from './outcomes.ts'
import { factsText, tableText } from './table.ts'
import { agoText, bytesText, durationText, ratioText } from './units.ts'

export function nodeInfoText(info: Fields, now: Instant): string {
  const report = fieldsOf(info['report'])
  const via = textOf(info['via'])
  const sections = [
    factsText({
      node: textOf(info['node']),
      condition: textOf(info['condition']),
      parent: textOf(info['parent']),
      site: textOf(info['site']),
      labels: pairsText(report['labels']),
      revision: textOf(info['revision']),
      converged: textOf(info['converged']),
      'heard of': `${heardText(info)}${via === undefined || via === info['node'] ? '' : ` through ${via}`}`,
      version: textOf(info['version']),
      arch: textOf(info['arch']),
      packages: textOf(info['packages']),
      failed: textOf(info['failed']),
      drifted: textOf(info['drifted']),
      attacks: textOf(info['attacks']),
      problems: textOf(info['problems']),
      reboot: rebootText(fieldsOf(report['needs'])),
    }),
    listed('problems', textsOf(report['problems'])),
    listed(
      'attacks',
      listOf(report['attacks']).map((attack) => attackText(attack, now)),
    ),
    listed('services', serviceTexts(report, now)),
    outcomesText(listOf(report['packages'])),
    listed('the last apply printed', printedLines(textOf(report['output']) ?? '')),
    transfersText(listOf(report['transfers'])),
    distancesText(listOf(info['distances'])),
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

export function listed(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [title, ...lines.map((line) => `  ${line}`)].join('\n')
}

function attackText(attack: Fields, now: Instant): string {
  const at = numberOf(attack['at'])
  const when = at === undefined ? '' : `, ${agoText(now - at)}`
  return `${textOf(attack['kind']) ?? '?'} from ${textOf(attack['from']) ?? '?'}${when}: ${textOf(attack['detail']) ?? ''}`
}

function rebootText(needs: Fields): string | undefined {
  const because = textOf(needs['reboot'])
  return because === undefined ? undefined : `needed: ${because}`
}

/** What the policy had restarted, and what still runs from files that are gone. */
function serviceTexts(report: Fields, now: Instant): string[] {
  const words: Record<string, string> = {
    owed: 'is to be restarted',
    done: 'was restarted',
    failed: 'could not be restarted',
    skipped: 'was not restarted',
  }
  const asked = listOf(report['restarts']).map((restart) => {
    const [at, detail] = [numberOf(restart['at']), textOf(restart['detail'])]
    const when = at === undefined ? '' : `, ${agoText(now - at)}`
    const what = words[textOf(restart['state']) ?? ''] ?? textOf(restart['state'])
    return `${textOf(restart['unit']) ?? '?'} ${what}${when}${detail === undefined ? '' : `: ${detail}`}`
  })
  const outdated = textsOf(fieldsOf(report['needs'])['restarts'])
  return [...asked, ...outdated.map((unit) => `${unit} runs from files that are gone: it needs a restart`)]
}

/** What programs printed may speak to a terminal. */
function printedLines(output: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point.
  const plain = output.replace(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ')
  return plain.split('\n').filter((line) => line.trim() !== '')
}

function outcomesText(outcomes: readonly Fields[]): string {
  return outcomes.length === 0 ? '' : outcomeListText(outcomes)
}

function transfersText(transfers: readonly Fields[]): string {
  if (transfers.length === 0) return ''
  return tableText(
    [
      { title: 'TRANSFER' },
      { title: 'VERSION' },
      { title: 'STATE' },
      { title: 'HERE', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'FROM PARENT', align: 'right' },
      { title: 'FROM SIBLINGS', align: 'right' },
      { title: 'OVER LINK', align: 'right' },
      { title: 'GIVEN', align: 'right' },
    ],
    transfers.map((transfer) => [
      ...['name', 'version', 'state'].map((column) => textOf(transfer[column]) ?? '?'),
      ...['have', 'size', 'fromParent', 'fromSiblings', 'overLink', 'given'].map((column) => {
        const bytes = numberOf(transfer[column])
        return bytes === undefined ? '-' : bytesText(bytes)
      }),
    ]),
  )
}

/** How far the last transfers were from what arithmetic allows. */
function distancesText(distances: readonly Fields[]): string {
  if (distances.length === 0) return ''
  return tableText(
    [
      { title: 'LAST TRANSFERS' },
      { title: 'VERSION' },
      { title: 'SIZE', align: 'right' },
      { title: 'LINK / PAYLOAD', align: 'right' },
      { title: 'FROM SIBLINGS', align: 'right' },
      { title: 'TOOK', align: 'right' },
      { title: 'TIME / BOUND', align: 'right' },
    ],
    distances.map((each) => {
      const [size, siblings, ms] = ['size', 'fromSiblings', 'durationMs'].map((column) => numberOf(each[column]))
      return [
        ...['name', 'version'].map((column) => textOf(each[column]) ?? '?'),
        size === undefined ? '-' : bytesText(size),
        ratioText(numberOf(each['overLink'])),
        siblings === undefined ? '-' : `${Math.round(siblings * 100)} %`,
        ms === undefined ? '-' : durationText(ms),
        ratioText(numberOf(each['time'])),
      ]
    }),
  )
}

function pairsText(value: unknown): string {
  return Object.entries(fieldsOf(value))
    .map(([key, text]) => `${key}=${textOf(text) ?? '?'}`)
    .join(' ')
}
