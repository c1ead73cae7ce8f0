// Small objects from above, many in one question. Each is fetched once, however many wait for it; what a child waits for
// comes in turns with what this node wants itself.

import { createHash } from 'node:crypto'
import type { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'

export interface ObjectFetches {
  /**
   * Undefined if nobody up to the root has it. Throws what `ask` and `arrived` throw, and what `forged` returns. `bytes` is
   * its size, as far as it is known.
   */
  fetch(digest: Sha256, options?: { bytes?: number | undefined; isUrgent?: boolean }): Promise<Uint8Array | undefined>
  isUnderway(digest: Sha256): boolean
}

interface Fetch {
  digest: Sha256
  bytes: number
  result: PromiseWithResolvers<Uint8Array | undefined>
}

export function openObjectFetches(parts: {
  monotonicMs: () => number
  /** Answers to the first of them, at least to one, until there are so many bytes. */
  ask: (digests: readonly Sha256[], bytes: number) => Promise<(Uint8Array | undefined)[]>
  /** Resolves when what is to be kept of these is kept. Each has the digest that was asked for. */
  arrived: (objects: ReadonlyMap<Sha256, Uint8Array>) => Promise<void>
  /** Returns what whoever waits for it is told. */
  forged: (digest: Sha256, actual: Sha256) => Failure
}): ObjectFetches {
  const underway = new Map<Sha256, Fetch>()
  /** Not asked for yet, in the order in which they will be. */
  const lines = { urgent: new Set<Fetch>(), own: new Set<Fetch>() }
  const pace = openPace()
  let asks = 0
  let isOwnTurn = false

  const next = (): Fetch[] => {
    const taken: Fetch[] = []
    let bytes = 0
    isOwnTurn = !isOwnTurn
    for (const line of isOwnTurn ? [lines.own, lines.urgent] : [lines.urgent, lines.own]) {
      for (const fetch of line) {
        if (taken.length === limits.objectsPerAskMax) return taken
        if (taken.length > 0 && bytes + fetch.bytes > pace.bytes()) return taken
        line.delete(fetch)
        taken.push(fetch)
        bytes += fetch.bytes
      }
    }
    return taken
  }
  const work = () => {
    while (asks < limits.objectAsksAtOnce && lines.urgent.size + lines.own.size > 0) {
      asks += 1
      void ask(next()).finally(() => {
        asks -= 1
        work()
      })
    }
  }
  const ask = async (taken: readonly Fetch[]): Promise<void> => {
    const since = parts.monotonicMs()
    try {
      const digests = taken.map(({ digest }) => digest)
      const came = await parts.ask(digests, pace.bytes())
      pace.took(parts.monotonicMs() - since)
      lines.urgent = new Set([...taken.slice(came.length), ...lines.urgent])
      await take(taken.slice(0, came.length), came)
    } catch (error) {
      pace.failed()
      for (const fetch of taken) end(fetch, ({ reject }) => reject(error))
    }
  }
  const take = async (asked: readonly Fetch[], came: readonly (Uint8Array | undefined)[]): Promise<void> => {
    const genuine = new Map<Sha256, Uint8Array>()
    for (const [index, fetch] of asked.entries()) {
      const bytes = came[index]
      if (bytes === undefined) {
        end(fetch, ({ resolve }) => resolve(undefined))
        continue
      }
      const actual = createHash('sha256').update(bytes).digest('hex')
      if (actual === fetch.digest) genuine.set(actual, bytes)
      else end(fetch, ({ reject }) => reject(parts.forged(fetch.digest, actual)))
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

  return {
    fetch(digest, { bytes = limits.objectBytesUnknown, isUrgent = false } = {}) {
      const known = underway.get(digest)
      const fetch = known ?? { digest, bytes, result: Promise.withResolvers() }
      if (known === undefined) {
        underway.set(digest, fetch)
        lines[isUrgent ? 'urgent' : 'own'].add(fetch)
        // All that is wanted in the same breath is asked for together.
        queueMicrotask(work)
      } else if (isUrgent && lines.own.delete(known)) {
        lines.urgent.add(known)
      }
      return fetch.result.promise
    },
    isUnderway: (digest) => underway.has(digest),
  }
}

/** How much one answer should bring: so much that questions cost little, so little that no answer takes long. */
function openPace() {
  let bytes: number = limits.objectsFirstAnswerBytes
  const halve = () => {
    bytes = Math.max(limits.objectsLeastAnswerBytes, bytes / 2)
  }
  return {
    bytes: () => bytes,
    took(ms: number) {
      if (ms < limits.objectsQuickMs) bytes = Math.min(limits.objectsAnswerBytes, bytes * 2)
      if (ms > limits.objectsSlowMs) halve()
    },
    failed: halve,
  }
}
