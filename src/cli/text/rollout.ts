// Rollouts: how far each has come, and what halted it.

import { type Fields, fieldsOf, listOf, numberOf, textOf, textsOf } from './fields.ts'
import { tableText } from './table.ts'
import { durationText } from './units.ts'

export function rolloutListText(rollouts: readonly Fields[]): string {
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
      textOf(rollout['name']) ?? '?',
      packagesText(rollout),
      textOf(rollout['state']) ?? '?',
      waveText(rollout),
      ...['nodes', 'done', 'failed', 'underway', 'silent'].map((count) => {
        return textOf(fieldsOf(rollout['tally'])[count]) ?? '-'
      }),
      nextText(rollout),
    ]),
  )
  const details = rollouts.map(failuresText).filter((text) => text !== '')
  return [table, ...details].join('\n\n')
}

function packagesText(rollout: Fields): string {
  return listOf(rollout['packages'])
    .map((one) => `${textOf(one['name']) ?? '?'} ${textsOf(one['versions']).join('/')}`)
    .join(', ')
}

/** `2 of 3 (10 %)` */
function waveText(rollout: Fields): string {
  const waves = Array.isArray(rollout['waves']) ? rollout['waves'] : []
  const open = numberOf(rollout['open']) ?? 0
  const share = numberOf(waves[open - 1])
  return `${open} of ${waves.length}${share === undefined ? '' : ` (${share} %)`}`
}

function nextText(rollout: Fields): string {
  const waves = Array.isArray(rollout['waves']) ? rollout['waves'].length : 0
  if (textOf(rollout['state']) !== 'running' || (numberOf(rollout['open']) ?? 0) >= waves) return '-'
  const nextInMs = numberOf(rollout['nextInMs'])
  return nextInMs === undefined ? 'when its nodes are through' : `in ${durationText(nextInMs)}`
}

function failuresText(rollout: Fields): string {
  const halted = textOf(rollout['halted'])
  const failed = listOf(rollout['failed'])
  if (halted === undefined && failed.length === 0) return ''
  const name = textOf(rollout['name']) ?? '?'
  const lines = failed.map(
    (one) => `  ${textOf(one['node']) ?? '?'}: ${textOf(one['package']) ?? '?'}: ${textOf(one['detail']) ?? ''}`,
  )
  return [halted === undefined ? `${name}: failed on` : `${name} is halted: ${halted}`, ...lines].join('\n')
}
