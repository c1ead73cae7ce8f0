// Rollouts: how far each is, and what halted it.

import type { Readable } from '../../model/local-api/readable.ts'
import type { RolloutInfo } from '../../model/local-api/rollouts.ts'
import { sectionsText, tableText } from './table.ts'
import { durationText } from './units.ts'

type Rollout = Readable<RolloutInfo>

export function rolloutListText(rollouts: readonly Rollout[]): string {
  if (rollouts.length === 0) return 'no rollouts'
  const table = tableText(
    [
      { title: 'ROLLOUT' },
      { title: 'PACKAGES' },
      { title: 'STATE' },
      { title: 'WAVE' },
      { title: 'NODES', align: 'right' },
      { title: 'DONE', align: 'right' },
      { title: 'FAILED', align: 'right' },
      { title: 'UNDERWAY', align: 'right' },
      { title: 'SILENT', align: 'right' },
      { title: 'NEXT WAVE' },
    ],
    rollouts.map((rollout) => [
      rollout.name ?? '?',
      packagesText(rollout),
      rollout.state ?? '?',
      waveText(rollout),
      rollout.tally?.nodes,
      rollout.tally?.done,
      rollout.tally?.failed,
      rollout.tally?.underway,
      rollout.tally?.silent,
      nextText(rollout),
    ]),
  )
  return sectionsText([table, ...rollouts.map(failuresText)])
}

function packagesText({ packages = [] }: Rollout): string {
  return packages.map(({ name, versions = [] }) => `${name ?? '?'} ${versions.join('/')}`).join(', ')
}

/** `2 of 3 (10 %)` */
function waveText({ waves = [], open = 0 }: Rollout): string {
  const share = waves[open - 1]
  return `${open} of ${waves.length}${share === undefined ? '' : ` (${share} %)`}`
}

function nextText({ state, waves = [], open = 0, nextInMs }: Rollout): string | undefined {
  if (state !== 'running' || open >= waves.length) return undefined
  const isKnown = nextInMs !== undefined && nextInMs !== null
  return isKnown ? `in ${durationText(nextInMs)}` : 'when its nodes are through'
}

function failuresText({ name = '?', halted, failed = [] }: Rollout): string {
  const isHalted = halted !== undefined && halted !== null
  if (!isHalted && failed.length === 0) return ''
  const lines = failed.map((each) => `  ${each.node ?? '?'}: ${each.package ?? '?'}: ${each.detail ?? ''}`)
  return [isHalted ? `${name} is halted: ${halted}` : `${name}: failed on`, ...lines].join('\n')
}
