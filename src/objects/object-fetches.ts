// Fetches small objects from the parent, many in one request. Each is fetched once, however many
// callers wait for it.

import { Failure, unreachable } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import type { Found } from '../model/wire/object-frames.ts'
import { sha256Of } from '../world/objects.ts'
import { createAnswerSize } from './answer-size.ts'
import { createFetchLines, type Fetch, type Line } from './fetch-lines.ts'

export interface ObjectFetches {
  /**
   * Undefined if no node up to the root has the object. `bytes` is its size, as far as it is known.
   * Throws what `request` and `arrived` throw, what `forged` returns, and `refused` in the line
   * `awaited` while too many fetches are under way.
   */
  fetch(digest: Sha256, options: { line: Line; bytes?: number | undefined }): Promise<Uint8Array | undefined>
  isUnderway(digest: Sha256): boolean
  /** Whether more may be fetched ahead. */
  hasRoom(): boolean
}

export interface ObjectFetchesParts {
  /** Milliseconds on a clock that never goes back. */
  monotonicMs: () => number
  /** Requests these objects from the parent; see `Upstream.objects`. */
  request: (digests: readonly Sha256[], bytes: number) => Promise<Found[]>
  /**
   * Objects whose digests are right have arrived. Resolves once those that are to be kept are on
   * disk.
   */
  arrived: (objects: ReadonlyMap<Sha256, Uint8Array>) => Promise<void>
  /**
   * The parent sent other bytes than requested. Returns the failure of every caller that waits for
   * them.
   */
  forged: (digest: Sha256, actual: Sha256) => Failure
}

export function createObjectFetches(parts: ObjectFetchesParts): ObjectFetches {
  const underway = new Map<Sha256, Fetch>()
  const lines = createFetchLines()
  const answers = createAnswerSize()
  let requests = 0

  const end: End = (fetch, settle) => {
    underway.delete(fetch.digest)
    settle(fetch.result)
  }
  const request = async (fetches: readonly Fetch[]): Promise<void> => {
    const since = parts.monotonicMs()
    const digests = fetches.map(({ digest }) => digest)
    let found: Found[]
    try {
      found = await parts.request(digests, answers.bytes())
    } catch (error) {
      answers.failed()
      return failAll(fetches, error, end)
    }
    answers.answered(parts.monotonicMs() - since)
    lines.putBack(fetches.slice(found.length))
    await receive(parts, fetches.slice(0, found.length), found, end)
  }
  const requestMore = () => {
    while (requests < answers.requestsMax()) {
      const fetches = lines.next(answers.bytes())
      if (fetches.length === 0) return
      requests += 1
      void request(fetches).finally(() => {
        requests -= 1
        requestMore()
      })
    }
  }
  const hasRoom = () => underway.size < limits.objectsWaitingMax

  return {
    async fetch(digest, { line, bytes = limits.objectBytesUnknown }) {
      const known = underway.get(digest)
      if (known !== undefined) {
        if (line === 'awaited') lines.hasten(known)
        return known.result.promise
      }
      if (line === 'awaited' && !hasRoom()) {
        throw new Failure('refused', 'too many objects are waited for', { retry: 'later' })
      }
      const fetch = { digest, bytes, line, result: Promise.withResolvers<Uint8Array | undefined>() }
      underway.set(digest, fetch)
      lines.add(fetch)
      // Fetches that begin in the same turn of the event loop go into one request.
      queueMicrotask(requestMore)
      return fetch.result.promise
    },
    isUnderway: (digest) => underway.has(digest),
    hasRoom,
  }
}

/** Ends a fetch: all who wait for it get the result that `settle` sets. */
type End = (fetch: Fetch, settle: (result: Fetch['result']) => void) => void

/**
 * Checks an answer and ends the fetches that it answers; those with the right bytes only once these
 * are kept.
 */
async function receive(
  parts: ObjectFetchesParts,
  fetches: readonly Fetch[],
  found: readonly Found[],
  end: End,
): Promise<void> {
  const genuine = new Map<Sha256, Uint8Array>()
  for (const [index, fetch] of fetches.entries()) {
    const checked = checkedAs(fetch.digest, found[index])
    if (checked.kind === 'genuine') genuine.set(fetch.digest, checked.bytes)
    else if (checked.kind === 'absent') end(fetch, ({ resolve }) => resolve(undefined))
    else if (checked.kind === 'failed') failAll([fetch], notNow(fetch.digest), end)
    else if (checked.kind === 'forged') failAll([fetch], parts.forged(fetch.digest, checked.actual), end)
    else unreachable(checked)
  }
  const here = fetches.filter(({ digest }) => genuine.has(digest))
  try {
    await parts.arrived(genuine)
    for (const fetch of here) end(fetch, ({ resolve }) => resolve(genuine.get(fetch.digest)))
  } catch (error) {
    failAll(here, error, end)
  }
}

function failAll(fetches: readonly Fetch[], error: unknown, end: End): void {
  for (const fetch of fetches) end(fetch, ({ reject }) => reject(error))
}

type Checked =
  | { kind: 'genuine'; bytes: Uint8Array }
  | { kind: 'absent' }
  | { kind: 'failed' }
  | { kind: 'forged'; actual: Sha256 }

function checkedAs(digest: Sha256, found: Found): Checked {
  if (found === undefined) return { kind: 'absent' }
  if (found === 'failed') return { kind: 'failed' }
  const actual = sha256Of(found)
  return actual === digest ? { kind: 'genuine', bytes: found } : { kind: 'forged', actual }
}

function notNow(digest: Sha256): Failure {
  return new Failure('unreachable', `object ${digest} cannot be had from above just now`, { retry: 'later' })
}
