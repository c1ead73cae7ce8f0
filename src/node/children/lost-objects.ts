// The objects that a root should have and has lost, by a damaged disk or because it was restored from
// an older copy. Its children have them: each learns with the answer to `watch` that something is
// lost, asks for what, and sends what it has. Each child is asked for an object once; the child that
// was asked last has some time, or until it asks for more, before the next one is.

import { limits } from '../../model/limits.ts'
import type { NodeName, Sha256 } from '../../model/names.ts'
import type { Upstream } from '../../objects/object-source.ts'
import { type Objects, sha256Of } from '../../world/objects.ts'
import type { Clock, Timer } from '../../world/world.ts'

export interface LostObjects {
  /** From now on children are asked. Before, and after `stop`, nothing is fetched. */
  begin(): void
  /**
   * The object, stored by then. Undefined if no child has sent it: no other child was there to be
   * asked for `limits.lostWaitMs`, or `limits.lostWholeMs` are over.
   */
  fetch(digest: Sha256): Promise<Uint8Array | undefined>
  any(): boolean
  /** What to ask this child for now. Of what it was asked for before, it has no more to send. */
  askNow(node: NodeName): Sha256[]
  /** Whether this child was asked for these bytes. Whoever waits for them gets them. */
  take(node: NodeName, bytes: Uint8Array): Promise<boolean>
  /** Calls the listener when children are to be asked. */
  onAsk(listener: () => void): void
  stop(): void
}

interface Waiting {
  result: PromiseWithResolvers<Uint8Array | undefined>
  begunAtMs: number
  /** When a child was asked that had not been asked before. */
  progressAtMs: number
  askedOf: Set<NodeName>
  /** The child that was asked last, as long as it may still send the object. */
  last: { node: NodeName; atMs: number } | null
}

export function createLostObjects({
  clock: { monotonicMs, after },
  objects,
}: {
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  objects: Pick<Objects, 'put'>
}): LostObjects {
  const waiting = new Map<Sha256, Waiting>()
  let isOpen = false
  let listener = () => {}
  let timer: Timer | undefined

  const end = (digest: Sha256, bytes: Uint8Array | undefined) => {
    waiting.get(digest)?.result.resolve(bytes)
    waiting.delete(digest)
    if (waiting.size > 0) return
    timer?.cancel()
    timer = undefined
  }
  const look = () => {
    timer = undefined
    for (const [digest, each] of [...waiting]) if (isOver(each, monotonicMs())) end(digest, undefined)
    if (waiting.size === 0) return
    listener()
    timer ??= after(limits.lostAskAgainMs, look)
  }
  return {
    begin: () => {
      isOpen = true
    },
    async fetch(digest) {
      const known = waiting.get(digest)
      if (known !== undefined) return known.result.promise
      if (!isOpen || waiting.size >= limits.objectsWaitingMax) return undefined
      const result = Promise.withResolvers<Uint8Array | undefined>()
      const nowMs = monotonicMs()
      waiting.set(digest, { result, begunAtMs: nowMs, progressAtMs: nowMs, askedOf: new Set(), last: null })
      if (timer === undefined) {
        timer = after(limits.lostAskAgainMs, look)
        listener()
      }
      return result.promise
    },
    any: () => waiting.size > 0,
    askNow(node) {
      const nowMs = monotonicMs()
      const asked: Sha256[] = []
      for (const [digest, each] of waiting) {
        if (each.last?.node === node || (each.last?.atMs ?? 0) <= nowMs - limits.lostAskAgainMs) each.last = null
        if (each.last !== null || each.askedOf.has(node) || asked.length >= limits.lostAskedMax) continue
        each.askedOf.add(node)
        each.last = { node, atMs: nowMs }
        each.progressAtMs = nowMs
        asked.push(digest)
      }
      return asked
    },
    async take(node, bytes) {
      const digest = sha256Of(bytes)
      if (waiting.get(digest)?.askedOf.has(node) !== true) return false
      await objects.put(bytes)
      end(digest, bytes)
      return true
    },
    onAsk: (asked) => {
      listener = asked
    },
    stop: () => {
      isOpen = false
      for (const digest of [...waiting.keys()]) end(digest, undefined)
    },
  }
}

function isOver({ begunAtMs, progressAtMs }: Waiting, nowMs: number): boolean {
  return nowMs - progressAtMs >= limits.lostWaitMs || nowMs - begunAtMs >= limits.lostWholeMs
}

/**
 * What the trusted revision leads to, and this root has lost, from the children. Other digests are
 * absent: nobody makes a root ask for them. The answer ends before an object that takes longer than
 * the first.
 */
export function fromChildren(
  lost: Pick<LostObjects, 'fetch'>,
  objects: Pick<Objects, 'get'>,
  isNamed: (digest: Sha256) => boolean,
): Upstream['objects'] {
  return async (digests) => {
    const ended: (Uint8Array | undefined | 'waits')[] = digests.map(() => 'waits')
    const fetches = digests.map(async (digest, index) => {
      // An earlier call may have ended before the object came.
      ended[index] = isNamed(digest) ? ((await objects.get(digest)) ?? (await lost.fetch(digest))) : undefined
    })
    await fetches[0]
    const late = ended.indexOf('waits')
    return (late < 0 ? ended : ended.slice(0, late)) as (Uint8Array | undefined)[]
  }
}
