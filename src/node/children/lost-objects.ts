// The objects that a root should have and has lost, by a damaged disk or because it was restored from
// an older copy. Its children have them: each learns with the answer to `watch` that something is
// lost, asks for what, and sends what it has.

import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import type { Sha256 } from '../../model/names.ts'
import type { Upstream } from '../../objects/object-source.ts'
import { sha256Of } from '../../world/objects.ts'
import type { Clock, Timer } from '../../world/world.ts'

export interface LostObjects {
  /** Undefined if no child has sent the object, and no other lost one, for `limits.lostWaitMs`. */
  fetch(digest: Sha256): Promise<Uint8Array | undefined>
  any(): boolean
  /** What to ask a child for now: what no other child was asked for a moment ago. */
  askNow(): Sha256[]
  /** Whether these bytes were asked for. Whoever waits for them gets them. */
  take(bytes: Uint8Array): boolean
  /** Calls the listener when children are to be asked. */
  onAsk(listener: () => void): void
  stop(): void
}

interface Waiting {
  result: PromiseWithResolvers<Uint8Array | undefined>
  askedAtMs: number | undefined
}

export function createLostObjects({ monotonicMs, after }: Pick<Clock, 'monotonicMs' | 'after'>): LostObjects {
  const waiting = new BoundedMap<Sha256, Waiting>(limits.objectsWaitingMax)
  let listener = () => {}
  let timer: Timer | undefined
  let progressAtMs = 0

  const giveUp = () => {
    for (const { result } of waiting.values()) result.resolve(undefined)
    waiting.clear()
    timer?.cancel()
    timer = undefined
  }
  const askLater = () => {
    timer?.cancel()
    timer = after(limits.lostAskAgainMs, () => {
      if (monotonicMs() - progressAtMs >= limits.lostWaitMs) return giveUp()
      listener()
      askLater()
    })
  }
  return {
    fetch(digest) {
      const known = waiting.get(digest)
      if (known !== undefined) return known.result.promise
      const result = Promise.withResolvers<Uint8Array | undefined>()
      const isFirst = waiting.size === 0
      waiting.set(digest, { result, askedAtMs: undefined })
      if (isFirst) {
        progressAtMs = monotonicMs()
        askLater()
        listener()
      }
      return result.promise
    },
    any: () => waiting.size > 0,
    askNow() {
      const beforeMs = monotonicMs() - limits.lostAskAgainMs
      const due = [...waiting.entries()].filter(([, { askedAtMs }]) => askedAtMs === undefined || askedAtMs <= beforeMs)
      const asked = due.slice(0, limits.lostAskedMax)
      for (const [, each] of asked) each.askedAtMs = monotonicMs()
      return asked.map(([digest]) => digest)
    },
    take(bytes) {
      const digest = sha256Of(bytes)
      const found = waiting.get(digest)
      if (found === undefined) return false
      progressAtMs = monotonicMs()
      waiting.delete(digest)
      found.result.resolve(bytes)
      if (waiting.size === 0) giveUp()
      return true
    },
    onAsk: (asked) => {
      listener = asked
    },
    stop: giveUp,
  }
}

/**
 * What the trusted revision leads to, and this root has lost, from the children. Other digests are
 * absent: nobody makes a root ask for them.
 */
export function fromChildren(
  lost: Pick<LostObjects, 'fetch'>,
  isNamed: (digest: Sha256) => boolean,
): Upstream['objects'] {
  return (digests) =>
    Promise.all(digests.map(async (digest) => (isNamed(digest) ? await lost.fetch(digest) : undefined)))
}
