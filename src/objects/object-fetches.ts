// Small objects from above, many in one call. Each is fetched once, however many wait for it.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import type { Found } from '../model/wire/object-frames.ts'
import { sha256Of } from '../world/objects.ts'

/**
 * Which are asked for first: what a child waits for; and then in turns what this node wants, what leads to payloads before
 * payloads, and what a child will come to.
 */
export type Line = 'awaited' | 'leading' | 'payload' | 'ahead'

export interface ObjectFetches {
  /**
   * Undefined if nobody up to the root has it. Throws what `ask` and `arrived` throw, what `forged` returns, and `refused` for
   * what a child waits for when too much is waited for. `bytes` is its size, as far as it is known.
   */
  fetch(digest: Sha256, options: { line: Line; bytes?: number | undefined }): Promise<Uint8Array | undefined>
  isUnderway(digest: Sha256): boolean
  /** Whether more may be fetched ahead. */
  hasRoom(): boolean
}

interface Fetch {
  digest: Sha256
  bytes: number
  line: Line
  result: PromiseWithResolvers<Uint8Array | undefined>
}

export function openObjectFetches(parts: {
  monotonicMs: () => number
  /** Answers to the first of them, at least to one, until there are so many bytes. */
  ask: (digests: readonly Sha256[], bytes: number) => Promise<Found[]>
  /** Resolves when what is to be kept of these is kept. Each has the digest that was asked for. */
  arrived: (objects: ReadonlyMap<Sha256, Uint8Array>) => Promise<void>
  /** Returns what whoever waits for it is told. */
  forged: (digest: Sha256, actual: Sha256) => Failure
}): ObjectFetches {
  const underway = new Map<Sha256, Fetch>()
  /** Not asked for yet, in the order in which they will be. */
  const lines: Record<Line, Set<Fetch>> = {
    awaited: new Set(),
    leading: new Set(),
    payload: new Set(),
    ahead: new Set(),
  }
  const answers = openAnswerSize()
  let asks = 0
  let isOwnTurn = false

  const next = (): Fetch[] => {
    const taken: Fetch[] = []
    let bytes = 0
    isOwnTurn = !isOwnTurn
    const inTurn: Line[] = isOwnTurn ? ['leading', 'payload', 'ahead'] : ['ahead', 'leading', 'payload']
    for (const line of ['awaited', ...inTurn] as const) {
      for (const fetch of lines[line]) {
        if (taken.length === limits.objectsPerAskMax) return taken
        if (taken.length > 0 && bytes + fetch.bytes > answers.bytes()) return taken
        lines[line].delete(fetch)
        taken.push(fetch)
        bytes += fetch.bytes
      }
    }
    return taken
  }
  const work = () => {
    while (asks < answers.atOnce()) {
      const taken = next()
      if (taken.length === 0) return
      asks += 1
      void ask(taken).finally(() => {
        asks -= 1
        work()
      })
    }
  }
  const ask = async (taken: readonly Fetch[]): Promise<void> => {
    const since = parts.monotonicMs()
    let came: Found[]
    try {
      came = await parts.ask(
        taken.map(({ digest }) => digest),
        answers.bytes(),
      )
    } catch (error) {
      answers.failed()
      for (const fetch of taken) end(fetch, ({ reject }) => reject(error))
      return
    }
    answers.took(parts.monotonicMs() - since)
    for (const fetch of taken.slice(came.length).reverse()) {
      lines[fetch.line] = new Set([fetch, ...lines[fetch.line]])
    }
    await take(taken.slice(0, came.length), came)
  }
  const take = async (asked: readonly Fetch[], came: readonly Found[]): Promise<void> => {
    const genuine = new Map<Sha256, Uint8Array>()
    for (const [index, fetch] of asked.entries()) {
      const found = came[index]
      if (found === undefined) end(fetch, ({ resolve }) => resolve(undefined))
      else if (found === 'failed') end(fetch, ({ reject }) => reject(notNow(fetch.digest)))
      else {
        const actual = sha256Of(found)
        if (actual === fetch.digest) genuine.set(actual, found)
        else end(fetch, ({ reject }) => reject(parts.forged(fetch.digest, actual)))
      }
    }
    const here = asked.filter(({ digest }) => genuine.has(digest))
    try {
      await parts.arrived(genuine)
      for (const fetch of here) end(fetch, ({ resolve }) => resolve(genuine.get(fetch.digest)))
    } catch (error) {
      for (const fetch of here) end(fetch, ({ reject }) => reject(error))
    }
  }
  const end = (fetch: Fetch, how: (result: Fetch['result']) => void) => {
    underway.delete(fetch.digest)
    how(fetch.result)
  }
  const hasRoom = () => underway.size < limits.objectsWaitingMax

  return {
    async fetch(digest, { line, bytes = limits.objectBytesUnknown }) {
      const known = underway.get(digest)
      if (known !== undefined) {
        if (line === 'awaited' && lines[known.line].delete(known)) {
          known.line = line
          lines[line].add(known)
        }
        return known.result.promise
      }
      if (line === 'awaited' && !hasRoom()) {
        throw new Failure('refused', 'too many objects are waited for', { retry: 'later' })
      }
      const fetch = { digest, bytes, line, result: Promise.withResolvers<Uint8Array | undefined>() }
      underway.set(digest, fetch)
      lines[line].add(fetch)
      // All that is wanted in the same breath is asked for together.
      queueMicrotask(work)
      return fetch.result.promise
    },
    isUnderway: (digest) => underway.has(digest),
    hasRoom,
  }
}

function notNow(digest: Sha256): Failure {
  return new Failure('unreachable', `object ${digest} cannot be had from above just now`, { retry: 'later' })
}

/** How much one answer should bring: so much that calls cost little, so little that on a thin link none takes long. */
function openAnswerSize() {
  let bytes: number = limits.objectsFirstAnswerBytes
  const halve = () => {
    bytes = Math.max(limits.objectsLeastAnswerBytes, bytes / 2)
  }
  return {
    bytes: () => bytes,
    atOnce: () => (bytes === limits.objectsLeastAnswerBytes ? 1 : limits.objectAsksAtOnce),
    took(ms: number) {
      if (ms < limits.objectsQuickMs) bytes = Math.min(limits.objectsAnswerBytes, bytes * 2)
      if (ms > limits.objectsSlowMs) halve()
    },
    failed: halve,
  }
}
