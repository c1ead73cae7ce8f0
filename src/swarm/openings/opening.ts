// When one holding is to be open, and when that may change. Pure.

import { unreachable } from '../../model/failure.ts'
import { type Holding, isNeeded } from '../holdings/holding.ts'

/** What is known of the use that others make of a holding. */
export interface Use {
  /** It has wires, or peers that the engine still tries to reach. */
  busy: boolean
  /** A holding that is not busy is kept open until then, in monotonic milliseconds. */
  untilMs: number
}

/** A complete holding sleeps on disk until somebody wants it; a failed one is left alone. */
export function shouldBeOpen(holding: Holding, use: Use | undefined, nowMs: number): boolean {
  const { progress } = holding
  switch (progress.kind) {
    case 'incoming':
      return isNeeded(holding)
    case 'complete':
      return use !== undefined && (use.busy || nowMs < use.untilMs)
    case 'failed':
      return false
    default:
      return unreachable(progress)
  }
}

/**
 * When to look again although nothing happens, in monotonic milliseconds; infinity if nothing
 * changes by time alone.
 */
export function nextLookAt(holding: Holding, use: Use | undefined): number {
  if (holding.progress.kind === 'failed')
    return isNeeded(holding) ? holding.progress.retryAtMs : Number.POSITIVE_INFINITY
  if (holding.progress.kind === 'complete' && use !== undefined && !use.busy) return use.untilMs
  return Number.POSITIVE_INFINITY
}
