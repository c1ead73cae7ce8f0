// Everything known of one node: the gist, and its newest report where that is here.

import { limits } from '../../model/limits.ts'
import { lineOf } from '../../model/line.ts'
import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { MeasuredTransfer } from '../../model/local-api/nodes.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import type { Instant } from '../../model/names.ts'
import type { Attack, Report, Transfer } from '../../model/report.ts'
import { heardText } from './node-list.ts'
import { outcomeListText } from './outcomes.ts'
import { factsText, listText, sectionsText, tableText } from './table.ts'
import { agoText, durationText, ratioText, sizeText } from './units.ts'

type NodeDetails = Readable<AnswerOf<'GET /nodes/:name'>>

export function nodeInfoText(info: NodeDetails, now: Instant): string {
  const { report = {}, distances = [] } = info
  const { attacks = [], packages = [], transfers = [] } = report
  return sectionsText([
    gistText(info),
    listText('problems', report.problems ?? []),
    listText(
      `machines with copies of one home${clonedText(info, now)}; banyan join --again on all but one, with another --name`,
      machineTexts(info),
    ),
    listText(
      'attacks',
      attacks.map((attack) => attackText(attack, now)),
    ),
    listText(
      'refuses reports',
      (report.refusals ?? []).map(({ node = '?', reason = '' }) => `of ${node}: ${reason}`),
    ),
    listText('services', serviceTexts(report, now)),
    packages.length === 0 ? '' : outcomeListText(packages),
    listText('the last apply printed', printedLines(report.output ?? '')),
    transfersText(transfers),
    distancesText(distances),
  ])
}

function clonedText({ cloned: { first, last } = {} }: NodeDetails, now: Instant): string {
  return first === undefined || last === undefined
    ? ''
    : `, first seen ${agoText(now - first)}, last ${agoText(now - last)}`
}

function machineTexts({ machines = [] }: NodeDetails): string[] {
  return machines.map(({ addresses = [], state = '?', converged, ageMs }) => {
    const heard = ageMs === undefined ? '' : `, heard of ${agoText(ageMs)}`
    return `${addresses.join(', ') || 'address unknown'}: ${state}, converged to ${converged ?? 'nothing'}${heard}`
  })
}

function gistText(info: NodeDetails): string {
  const { report = {}, via } = info
  const reboot = report.needs?.reboot ?? undefined
  return factsText({
    node: info.node,
    condition: info.condition,
    parent: info.parent,
    site: info.site,
    labels: Object.entries(report.labels ?? {})
      .map(([key, value]) => `${key}=${value ?? '?'}`)
      .join(' '),
    revision: info.revision,
    converged: info.converged,
    'heard of': `${heardText(info)}${via === undefined || via === info.node ? '' : ` through ${via}`}`,
    version: info.version,
    arch: info.arch,
    packages: info.packages,
    failed: info.failed,
    drifted: info.drifted,
    attacks: info.attacks,
    problems: info.problems,
    reboot: reboot === undefined ? undefined : `needed: ${reboot}`,
  })
}

function attackText({ kind, from, at, first, count, detail }: Readable<Attack>, now: Instant): string {
  const since = first === undefined ? '' : `, first ${agoText(now - first)}, noted ${count ?? '?'} times`
  const when = at === undefined ? '' : `, ${agoText(now - at)}${since}`
  return `${kind ?? '?'} from ${from ?? '?'}${when}: ${detail ?? ''}`
}

const restartWords: Readonly<Record<string, string>> = {
  owed: 'is to be restarted',
  done: 'was restarted',
  failed: 'could not be restarted',
  skipped: 'was not restarted',
}

/** What the policy had restarted, and what still runs from files that are gone. */
function serviceTexts({ restarts = [], needs }: Readable<Report>, now: Instant): string[] {
  const asked = restarts.map(({ unit, state = '', at, detail }) => {
    const when = at === undefined ? '' : `, ${agoText(now - at)}`
    return `${unit ?? '?'} ${restartWords[state] ?? state}${when}${detail === undefined ? '' : `: ${detail}`}`
  })
  const outdated = needs?.restarts ?? []
  return [...asked, ...outdated.map((unit) => `${unit} runs from files that are gone: it needs a restart`)]
}

/** What programs printed may hold control sequences for a terminal. */
function printedLines(output: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point.
  const plain = output.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, ' ').split('\n')
  return plain.map((line) => lineOf(line, limits.shownLineMaxChars)).filter((line) => line.trim() !== '')
}

function transfersText(transfers: readonly Readable<Transfer>[]): string {
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
    transfers.map((each) => [
      each.name ?? '?',
      each.version ?? '?',
      each.state ?? '?',
      sizeText(each.have),
      sizeText(each.size),
      sizeText(each.fromParent),
      sizeText(each.fromSiblings),
      sizeText(each.overLink),
      sizeText(each.given),
    ]),
  )
}

/** How far the last transfers were from what arithmetic allows. */
function distancesText(distances: readonly Readable<MeasuredTransfer>[]): string {
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
    distances.map(({ name, version, size, overLink, fromSiblings, durationMs, time }) => [
      name ?? '?',
      version ?? '?',
      sizeText(size),
      ratioText(overLink),
      fromSiblings === undefined ? undefined : `${Math.round(fromSiblings * 100)} %`,
      durationMs === undefined ? undefined : durationText(durationMs),
      ratioText(time),
    ]),
  )
}
