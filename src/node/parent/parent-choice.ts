// Which of several parents a node asks. Pure apart from its own two fields.

import { limits } from '../../model/limits.ts'

export interface ParentChoice {
  /** Index of the parent to ask now. */
  current(monotonicMs: number): number
  /**
   * The parent at `index` did not answer, or is turned away from: the next one is asked, unless
   * that happened already.
   */
  failed(index: number, monotonicMs: number): void
}

/**
 * Starts with the first parent and moves to the next one, round and round, whenever the present one
 * fails. The first parent is tried again `limits.parentReturnMs` after a move. Times are
 * milliseconds on a clock that never goes back.
 */
export function createParentChoice(count: number): ParentChoice {
  let now = 0
  let movedAt = 0
  return {
    current(monotonicMs) {
      if (now !== 0 && monotonicMs - movedAt >= limits.parentReturnMs) {
        now = 0
        movedAt = monotonicMs
      }
      return now
    },
    failed(index, monotonicMs) {
      if (index !== now || count === 0) return
      now = (index + 1) % count
      movedAt = monotonicMs
    },
  }
}
