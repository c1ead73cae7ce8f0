// The children that hang in a request for news.

import { limits } from '../../model/limits.ts'
import type { Clock } from '../../world/world.ts'

export interface Watchers {
  /**
   * Resolves once this node may trust a newer timestamp than `version`: at once, at the next
   * `answerAll`, or in any case after `limits.watchHangMs`. Resolves too when `signal` is aborted,
   * which means that the child has gone.
   */
  hang(version: number, signal: AbortSignal): Promise<void>
  /** All, or so many of those that have hung longest. */
  answerAll(max?: number): void
  /** Whether any child hangs. */
  any(): boolean
}

export function createWatchers(parts: { clock: Pick<Clock, 'after'>; timestampVersion: () => number }): Watchers {
  const watchers = new Set<() => void>()
  return {
    hang: (version, signal) =>
      new Promise((resolve) => {
        const answer = () => {
          watchers.delete(answer)
          timer.cancel()
          signal.removeEventListener('abort', answer)
          resolve()
        }
        const timer = parts.clock.after(limits.watchHangMs, answer)
        if (parts.timestampVersion() > version || signal.aborted) return answer()
        watchers.add(answer)
        signal.addEventListener('abort', answer)
      }),
    answerAll(max = watchers.size) {
      for (const answer of [...watchers].slice(0, max)) answer()
    },
    any: () => watchers.size > 0,
  }
}
