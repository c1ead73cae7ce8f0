// Requests objects from the sibling that brings them to this site, else from the parent, and goes on
// where an answer was cut off: on a thin link most of a megabyte is more than one connection lasts.

import { BoundedMap } from '../../model/bounded-map.ts'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Sha256 } from '../../model/names.ts'
import { cutFrames, type Found, objectsPath, parseFrames, restPath } from '../../model/wire/object-frames.ts'
import { sha256Of } from '../../world/objects.ts'
import type { HttpReply } from '../../world/world.ts'
import type { NearObjects, NearSibling } from './near-objects.ts'
import { accepted, type ParentCalls } from './parent-calls.ts'

/** See `Uplink.objects`. */
export type ObjectCalls = (digests: readonly Sha256[], bytes: number) => Promise<Found[]>

export function createObjectCalls(parts: {
  ask: Ask
  near: Pick<NearObjects, 'next'>
  /** Milliseconds on a clock that never goes back. */
  monotonicMs: () => number
}): ObjectCalls {
  const { near } = parts
  const unfinished = createUnfinished()
  const failing = createFailing(parts.monotonicMs)

  const one = async (asked: Asked, digest: Sha256): Promise<Found[]> => {
    const begun = unfinished.of(digest)
    const path = begun.length === 0 ? objectsPath([digest], 0) : restPath(digest, begun.length)
    const came = gathered()
    let reply: HttpReply
    try {
      reply = await whenThere(asked, { path, onPart: came.onPart, responseMaxBytes: limits.objectMaxBytes })
    } catch (error) {
      unfinished.keep(digest, joined(begun, came.bytes()))
      throw error
    }
    if (reply.status === 404) return [undefined]
    if (reply.status === 503) return ['failed']
    const { body } = accepted(reply, path)
    unfinished.drop(digest)
    return [begun.length === 0 ? body : wholeOf(digest, begun, body)]
  }
  const several = async (asked: Asked, digests: readonly Sha256[], bytes: number): Promise<Found[]> => {
    const came = gathered()
    // The parent may exceed `bytes` by one object; frames add the lengths of all.
    const responseMaxBytes = limits.objectMaxBytes + limits.objectsAnswerBytes + limits.objectsFramesBytes
    try {
      const path = objectsPath(digests, bytes)
      const reply = await whenThere(asked, { path, onPart: came.onPart, responseMaxBytes })
      // A parent of an older version answers one object at a time.
      const [first] = digests
      if (reply.status === 404 && first !== undefined) return await one(asked, first)
      if (reply.status === 503) return ['failed']
      return parseFrames(accepted(reply, `${digests.length} objects`).body, digests.length)
    } catch (error) {
      const { found, begun } = cutFrames(came.bytes(), digests.length)
      const next = digests[found.length]
      if (next !== undefined) unfinished.keep(next, begun)
      if (found.length === 0) throw error
      return found
    }
  }
  const from = (asked: Asked, digests: readonly Sha256[], bytes: number): Promise<Found[]> => {
    const [first] = digests
    if (first !== undefined && (digests.length === 1 || unfinished.of(first).length > 0)) return one(asked, first)
    return several(asked, digests, bytes)
  }
  /** `failed` if the sibling failed, `left` if another is to be asked in its place. */
  const fromNear = async (
    sibling: NearSibling,
    digests: readonly Sha256[],
    bytes: number,
  ): Promise<Found[] | 'failed' | 'left'> => {
    try {
      const found = await from(sibling, digests, bytes)
      if (found.every((each, index) => isGenuine(each, digests[index]))) return found
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (sibling.left.aborted) return 'left'
    }
    sibling.failed()
    return 'failed'
  }
  const fromParent = (digests: readonly Sha256[], bytes: number) => from({ ask: parts.ask }, digests, bytes)
  /**
   * The sibling says that nobody has the first object, or that the object cannot be had now. The
   * parent has the last word on that object alone: the sibling keeps its word on those after it.
   */
  const checked = async (sibling: NearSibling, [first = '']: readonly Sha256[], rest: Found[]): Promise<Found[]> => {
    try {
      const [found] = await fromParent([first], limits.objectMaxBytes)
      if (found instanceof Uint8Array) sibling.failed()
      return [found, ...rest]
    } catch (error) {
      // The parent has answered, or there are others: then the failure is that of the one object.
      if (!(error instanceof Failure) || (error.code !== 'refused' && rest.length === 0)) throw error
      return ['failed', ...rest]
    }
  }
  return async (digests, bytes) => {
    for (let tried = 0; tried < limits.nearChangesMax; tried += 1) {
      const sibling = await near.next()
      if (sibling === undefined) break
      const found = await fromNear(sibling, digests, bytes)
      if (found === 'left' || found === 'failed') continue
      if (found[0] instanceof Uint8Array) return contentOf(found)
      const rest = contentOf(found.slice(1))
      if (found[0] === 'failed' && failing.isBelieved(digests[0])) return ['failed', ...rest]
      return await checked(sibling, digests, rest)
    }
    return await fromParent(digests, bytes)
  }
}

/** What comes before the first object that the answer does not hold. */
function contentOf(found: readonly Found[]): Found[] {
  const end = found.findIndex((each) => !(each instanceof Uint8Array))
  return end === -1 ? [...found] : found.slice(0, end)
}

type Ask = ParentCalls['ask']

interface Asked {
  ask: Ask
  /** See `NearSibling`. The parent has neither. */
  elsewhere?: NearSibling['elsewhere']
  waiting?: NearSibling['waiting']
}

/**
 * Asks again for as long as the object is on its way to whoever is asked: to ask somebody else would
 * bring it over the link again.
 */
async function whenThere(
  { ask, elsewhere, waiting }: Asked,
  call: Omit<Parameters<Ask>[0], 'method'>,
): Promise<HttpReply> {
  const wait = waiting?.()
  let elsewhereTimes = 0
  for (let round = 1; round <= limits.onTheWayRoundsMax; round += 1) {
    const reply = await ask({ method: 'GET', ...call })
    if (reply.status === 421 && elsewhere !== undefined && elsewhereTimes < limits.nearElsewhereMax) {
      elsewhereTimes += 1
      await elsewhere()
    } else if (reply.status !== 202) return reply
    if (wait?.isInVain() === true) break
  }
  throw new Failure('unreachable', `${call.path.slice(0, 100)} is on its way for too long`, { retry: 'later' })
}

function isGenuine(found: Found, digest: Sha256 | undefined): boolean {
  return !(found instanceof Uint8Array) || sha256Of(found) === digest
}

/**
 * Since when a sibling says of an object that it cannot be had now. It may be right for a moment, and
 * then all of its site would fetch the object from the parent.
 */
function createFailing(monotonicMs: () => number) {
  const sinceMs = new BoundedMap<Sha256, number>(limits.objectsWaitingMax)
  return {
    isBelieved(digest: Sha256 = ''): boolean {
      const ms = monotonicMs() - (sinceMs.get(digest) ?? monotonicMs())
      // What was said long ago is another matter.
      if (!sinceMs.has(digest) || ms > limits.nearObjectsRestMs) sinceMs.set(digest, monotonicMs())
      return ms < limits.nearDoubtMs || ms > limits.nearObjectsRestMs
    },
  }
}

interface Unfinished {
  /** The first bytes of the object; none if nothing is kept. */
  of(digest: Sha256): Uint8Array
  keep(digest: Sha256, bytes: Uint8Array): void
  drop(digest: Sha256): void
}

/** Drops what was kept first. */
function createUnfinished(): Unfinished {
  const kept = new BoundedMap<Sha256, Uint8Array>(limits.unfinishedObjectsMax)
  const bytesKept = () => [...kept.values()].reduce((sum, { length }) => sum + length, 0)
  return {
    of: (digest) => kept.get(digest) ?? nothing,
    keep: (digest, bytes) => {
      if (bytes.length === 0) return
      kept.set(digest, bytes)
      for (const [oldest] of kept.entries()) {
        if (bytesKept() <= limits.unfinishedObjectsBytes) break
        kept.delete(oldest)
      }
    },
    drop: (digest) => void kept.delete(digest),
  }
}

const nothing = new Uint8Array(0)

/** Collects what comes of an answer that is a success. */
function gathered() {
  const parts: Uint8Array[] = []
  return {
    onPart: (part: Uint8Array, status: number) => {
      if (status === 200) parts.push(part)
    },
    bytes: () => new Uint8Array(Buffer.concat(parts)),
  }
}

function joined(begun: Uint8Array, rest: Uint8Array): Uint8Array {
  return begun.length === 0 ? rest : new Uint8Array(Buffer.concat([begun, rest]))
}

/**
 * The two halves may come from two parents, and neither is to blame if they do not fit. A parent of
 * an older version sends all of it again.
 */
function wholeOf(digest: Sha256, begun: Uint8Array, body: Uint8Array): Uint8Array {
  const whole = joined(begun, body)
  if (sha256Of(whole) === digest) return whole
  if (sha256Of(body) === digest) return body
  throw new Failure('unreachable', `object ${digest} came in two parts that do not fit`, { retry: 'later' })
}
