// When the root looks at its rollouts by itself: when asked, a moment after news, and when the next
// wave may open.

import { limits } from '../../model/limits.ts'
import { repeatable } from '../../work/background.ts'
import type { Clock, Log, Timer } from '../../world/world.ts'

export interface LookSchedule {
  /** Looks now. */
  ask(): void
  /** Looks soon, once for all the calls until then. */
  askSoon(): void
  /** Resolves once the last look has ended. */
  stop(): Promise<void>
}

/**
 * `look` returns the milliseconds until the next look, or null for none until somebody asks. A look
 * that fails is repeated.
 */
export function startLookSchedule(parts: {
  clock: Pick<Clock, 'after'>
  log: Log
  look: () => Promise<number | null>
}): LookSchedule {
  const { clock, log } = parts
  let timer: Timer | undefined
  let debounce: Timer | undefined
  let stopped = false

  const askIn = (ms: number) => {
    timer?.cancel()
    if (!stopped) timer = clock.after(ms, looking.ask)
  }
  const looking = repeatable('look at rollouts', log, async () => {
    if (stopped) return
    // Set before the look, so that it stays set if the look fails.
    askIn(limits.rolloutLookMs)
    const nextMs = await parts.look()
    if (nextMs === null) timer?.cancel()
    else askIn(nextMs)
  })
  return {
    ask: looking.ask,
    askSoon() {
      if (debounce !== undefined || stopped) return
      debounce = clock.after(limits.rolloutDebounceMs, () => {
        debounce = undefined
        looking.ask()
      })
    },
    async stop() {
      stopped = true
      timer?.cancel()
      debounce?.cancel()
      await looking.settled()
    },
  }
}
