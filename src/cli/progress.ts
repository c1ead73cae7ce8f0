// Progress of work that the daemon does: on a terminal a bar once the work has taken a second,
// otherwise a line per step.

import { systemClock } from '../world/clock.ts'
import type { Clock } from '../world/world.ts'
import { bytesText } from './text/units.ts'

const barAfterMs = 1000
const redrawEveryMs = 100
const barWidth = 24

export interface Step {
  step?: string | undefined
  /** Bytes that are done; absent for a step without a known size. */
  done?: number | undefined
  /** Bytes of the whole step. */
  total?: number | undefined
}

export interface Progress {
  show(step: Step): void
  /** Removes the bar. */
  end(): void
}

interface Screen {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

/** Shows the steps that `work` passes to `show`, until it ends. */
export async function withProgress<T>(title: string, work: (show: Progress['show']) => Promise<T>): Promise<T> {
  const progress = createProgress(title)
  try {
    return await work(progress.show)
  } finally {
    progress.end()
  }
}

export function createProgress(
  title: string,
  { screen = process.stderr, clock = systemClock }: { screen?: Screen; clock?: Pick<Clock, 'monotonicMs'> } = {},
): Progress {
  const startedMs = clock.monotonicMs()
  let drawnMs = Number.NEGATIVE_INFINITY
  let drawn = false
  let last = ''
  return {
    show({ step = '', done, total }) {
      if (!screen.isTTY) {
        if (step !== last) screen.write(`${title}: ${step}\n`)
        last = step
        return
      }
      const nowMs = clock.monotonicMs()
      if (nowMs - startedMs < barAfterMs) return
      if (nowMs - drawnMs < redrawEveryMs && step === last) return
      last = step
      drawnMs = nowMs
      drawn = true
      screen.write(`\r\u001b[K${lineOf(title, { step, done, total }).slice(0, (screen.columns ?? 80) - 1)}`)
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
