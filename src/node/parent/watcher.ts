// Waits for news from the parent: one hanging request after the other, with back-off while nobody
// answers.

import { Failure } from '../../model/failure.ts'
import type { NodeName } from '../../model/names.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import type { Clock, Log, Random } from '../../world/world.ts'
import type { Uplink } from './uplink.ts'

export interface Watcher {
  /** Resolves when the last request has ended. */
  stop(): Promise<void>
}

export interface WatcherParts {
  uplink: Pick<Uplink, 'watch' | 'parent'>
  clock: Clock
  random: Random
  log: Log
  /** Version of the timestamp that this node trusts. */
  timestampVersion: () => number
  /** The parent may have a newer timestamp. Resolves once the node has looked at it. */
  refresh: () => Promise<void>
  onAnswered: (parent: NodeName) => void
  onLost: (failure: Failure) => void
}

export function startWatcher(parts: WatcherParts): Watcher {
  const stopping = new AbortController()
  const running = watchOn(parts, stopping.signal).catch((error) =>
    parts.log.error('watcher ended', { error: String(error) }),
  )
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** Requests in a row without success. */
interface Tries {
  /** Requests that failed. */
  failed: number
  /** Answers that claimed news, of which the node could take none. */
  vain: number
}

type Outcome = { kind: 'answered'; isVain: boolean } | { kind: 'lost'; failure: Failure }

async function watchOn(parts: WatcherParts, stop: AbortSignal): Promise<void> {
  let tries: Tries = { failed: 0, vain: 0 }
  while (!stop.aborted) {
    const trusted = parts.timestampVersion()
    // A request for news above version 0 is answered at once, so the node learns without delay that
    // its parent answers, or answers again.
    const asked = tries.failed === 0 && parts.uplink.parent() !== null ? trusted : 0
    const outcome = await watchOnce(parts, { asked, trusted }, stop)
    if (outcome === 'stopped') return
    tries = triesAfter(tries, outcome, asked === trusted)
    const inVain = tries.failed + tries.vain
    if (inVain === 0) continue
    const failure = outcome.kind === 'lost' ? outcome.failure : undefined
    await pause(parts.clock, retryDelayMs(inVain, parts.random.fraction(), failure), stop)
  }
}

async function watchOnce(
  parts: WatcherParts,
  { asked, trusted }: { asked: number; trusted: number },
  stop: AbortSignal,
): Promise<Outcome | 'stopped'> {
  const since = parts.clock.monotonicMs()
  try {
    const claimed = await parts.uplink.watch(asked, stop)
    if (stop.aborted) return 'stopped'
    const parent = parts.uplink.parent()
    if (parent !== null) parts.onAnswered(parent.node)
    // A parent that hides news here could refuse the files as well; the node's regular look
    // requests them anyway.
    if (claimed > trusted) await parts.refresh()
    // A parent that claims news and sends none, or news that is refused, must not make this node
    // spin.
    return {
      kind: 'answered',
      isVain:
        parts.timestampVersion() === trusted && (claimed > trusted || parts.clock.monotonicMs() - since < quickMs),
    }
  } catch (error) {
    if (stop.aborted) return 'stopped'
    if (!(error instanceof Failure)) throw error
    parts.onLost(error)
    return { kind: 'lost', failure: error }
  }
}

/** An answer within this time did not hang, so it claimed news. */
const quickMs = 1000

/** `couldHang`: the request named the trusted version, so an answer at once claims news. */
function triesAfter(tries: Tries, outcome: Outcome, couldHang: boolean): Tries {
  if (outcome.kind === 'lost') return { failed: tries.failed + 1, vain: 0 }
  if (!couldHang) return { failed: 0, vain: tries.vain }
  return { failed: 0, vain: outcome.isVain ? tries.vain + 1 : 0 }
}

/** Resolves after `ms` milliseconds, or at once when stopped. */
function pause(clock: Pick<Clock, 'after'>, ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel()
      stop.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.after(ms, end)
    stop.addEventListener('abort', end)
  })
}
