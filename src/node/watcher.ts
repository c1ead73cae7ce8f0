// Waits for news from the parent: a hanging GET, over and over, with back-off while nobody answers.

import { Failure } from '../model/failure.ts'
import type { NodeName } from '../model/names.ts'
import type { Clock, Log, Random } from '../world/world.ts'
import { retryDelayMs } from './retry.ts'
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
      const timer = parts.clock.after(ms, resolve)
      stopping.signal.addEventListener('abort', () => {
        timer.cancel()
        resolve()
      })
    })
  const loop = async () => {
    let attempt = 0
    while (!stopping.signal.aborted) {
      const before = parts.timestampVersion()
      // Asking for version 0 is answered at once: that is how a node learns that its parent is there (again).
      const asked = attempt === 0 && parts.uplink.parent() !== null ? before : 0
      const since = parts.clock.monotonicMs()
      try {
        await parts.uplink.watch(asked, stopping.signal)
        if (stopping.signal.aborted) return
        const parent = parts.uplink.parent()
        if (parent !== null) parts.onAnswered(parent.node)
        await parts.refresh()
        // A parent that says "news" and then has none (or refuses) must not make us spin.
        const idle = parts.timestampVersion() === before && asked !== 0 && parts.clock.monotonicMs() - since < 1000
        attempt = idle ? attempt + 1 : 0
      } catch (error) {
        if (stopping.signal.aborted) return
        if (!(error instanceof Failure)) throw error
        parts.onLost(error)
        attempt += 1
      }
      if (attempt > 0) await pause(retryDelayMs(attempt, parts.random.fraction()))
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
