// Progress of work that the daemon does: on a terminal a bar for whatever takes over a second, otherwise a line per step.

import { systemClock } from '../world/clock.ts'
import type { Clock } from '../world/world.ts'
import { bytesText } from './text/units.ts'

const barAfterMs = 1000
const redrawEveryMs = 100
const barWidth = 24

export interface Step {
  step: string
  /** Bytes; a step without a known size has none. */
  done?: number | undefined
  total?: number | undefined
}

export interface Progress {
  show(step: Step): void
  /** Takes the bar away again. */
  end(): void
}

interface Screen {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

export function openProgress(
  title: string,
  { screen = process.stderr, clock = systemClock }: { screen?: Screen; clock?: Pick<Clock, 'monotonicMs'> } = {},
): Progress {
  const startedMs = clock.monotonicMs()
  let drawnMs = Number.NEGATIVE_INFINITY
  let drawn = false
  let last = ''
  return {
    show(step) {
      if (!screen.isTTY) {
        if (step.step !== last) screen.write(`${title}: ${step.step}\n`)
        last = step.step
        return
      }
      const nowMs = clock.monotonicMs()
      if (nowMs - startedMs < barAfterMs) return
      if (nowMs - drawnMs < redrawEveryMs && step.step === last) return
      last = step.step
      drawnMs = nowMs
      drawn = true
      screen.write(`\r\u001b[K${lineOf(title, step).slice(0, (screen.columns ?? 80) - 1)}`)
    },
    end() {
      if (drawn) screen.write('\r\u001b[K')
      drawn = false
    },
  }
}

function lineOf(title: string, { step, done, total }: Step): string {
  if (done === undefined || total === undefined || total === 0) return `${title}: ${step}`
  const share = Math.min(1, done / total)
  const full = Math.round(share * barWidth)
  const bar = '#'.repeat(full) + '-'.repeat(barWidth - full)
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${bytesText(done)} of ${bytesText(total)}  ${title}: ${step}`
}
