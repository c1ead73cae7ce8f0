// Waits for news from the parent: a hanging GET, over and over, with back-off while nobody answers.

import { Failure } from '../../model/failure.ts'
import type { NodeName } from '../../model/names.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import type { Clock, Log, Random } from '../../world/world.ts'
import type { Uplink } from './uplink.ts'

export interface Watcher {
  /** Resolves when the last call has ended. */
  stop(): Promise<void>
}

export function startWatcher(parts: {
  uplink: Uplink
  clock: Clock
  random: Random
  log: Log
  timestampVersion: () => number
  /** The parent may have a newer timestamp; resolves when it was looked at. */
  refresh: () => Promise<void>
  onAnswered: (parent: NodeName) => void
  onLost: (failure: Failure) => void
}): Watcher {
  const stopping = new AbortController()
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const end = () => {
        timer.cancel()
        stopping.signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = parts.clock.after(ms, end)
      stopping.signal.addEventListener('abort', end)
    })
  const loop = async () => {
    /** Calls in a row that failed. */
    let failed = 0
    /** Answers in a row that promised news, and there was none that held. */
    let vain = 0
    while (!stopping.signal.aborted) {
      const before = parts.timestampVersion()
      // Asking for version 0 is answered at once: that is how a node learns that its parent is there (again).
      const asked = failed === 0 && parts.uplink.parent() !== null ? before : 0
      const since = parts.clock.monotonicMs()
      let failure: Failure | undefined
      try {
        const told = await parts.uplink.watch(asked, stopping.signal)
        if (stopping.signal.aborted) return
        const parent = parts.uplink.parent()
        if (parent !== null) parts.onAnswered(parent.node)
        // A parent that keeps its news back could as well not hand it out; a look every now and then asks for it anyway.
        if (told > before) await parts.refresh()
        failed = 0
        // A parent that says "news" and then has none, or some that is refused, must not make us spin.
        const isVain = parts.timestampVersion() === before && parts.clock.monotonicMs() - since < 1000
        if (asked === before) vain = isVain ? vain + 1 : 0
      } catch (error) {
        if (stopping.signal.aborted) return
        if (!(error instanceof Failure)) throw error
        parts.onLost(error)
        failure = error
        failed += 1
        vain = 0
      }
      const attempt = failed + vain
      if (attempt > 0) await pause(retryDelayMs(attempt, parts.random.fraction(), failure))
    }
  }
  const running = loop().catch((error) => parts.log.error('watcher ended', { error: String(error) }))
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}
