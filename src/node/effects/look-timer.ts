// The one timer of a node's looks. Whoever wants a look sooner moves it forward; nobody moves it
// back.

import type { Clock, Timer } from '../../world/world.ts'
import type { Event } from '../state/events.ts'

export interface LookTimer {
  /** The next look is due in `ms` milliseconds at the latest. */
  lookWithin(ms: number): void
  stop(): void
}

/**
 * Dispatches `look-due` when the time has come. The timer starts with the first call of
 * `lookWithin`.
 */
export function startLookTimer({ clock, dispatch }: { clock: Clock; dispatch: (event: Event) => void }): LookTimer {
  let timer: Timer | undefined
  let dueAtMs = Number.POSITIVE_INFINITY
  let stopped = false
  return {
    lookWithin(ms) {
      const atMs = clock.monotonicMs() + ms
      if (stopped || atMs >= dueAtMs) return
      timer?.cancel()
      dueAtMs = atMs
      timer = clock.after(ms, () => {
        dueAtMs = Number.POSITIVE_INFINITY
        dispatch({ kind: 'look-due', monotonicMs: clock.monotonicMs() })
      })
    },
    stop() {
      stopped = true
      timer?.cancel()
    },
  }
}
