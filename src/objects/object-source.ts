// Small objects by digest: from our own folder, else from above.

import path from 'node:path'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { NodeName, Sha256 } from '../model/names.ts'
import type { Attack } from '../model/report.ts'
import { type Found, lengthOf } from '../model/wire/object-frames.ts'
import { background } from '../work/background.ts'
import type { Objects } from '../world/objects.ts'
import type { Clock, Log } from '../world/world.ts'
import { openObjectFetches } from './object-fetches.ts'
import { openRecentObjects } from './recent-objects.ts'
import type { Named } from './revision-objects.ts'

/** What whoever asks for an object knows of it already: its size, and that it is not in our own folder. */
export interface Known {
  bytes?: number
  isAbsent?: boolean
}

/** What the object source asks of the node above. */
export interface Upstream {
  /** The first of these objects, at least one, up to about `bytes` bytes. The digests are not checked. */
  objects(digests: readonly Sha256[], bytes: number): Promise<Found[]>
  /** The parent that answered last. */
  parent(): { node: NodeName } | null
  /** The parent sent forged bytes: for a while another parent is asked, where there is one. */
  turnAway(): void
}

export interface ObjectSource {
  /**
   * Throws what the uplink throws, `digest-mismatch` for forged bytes, and `not-found`, which is worth another try, if nobody
   * up to the root has it.
   */
  need(digest: Sha256, what: string, known?: Known): Promise<Uint8Array>
  /**
   * For a child that waits: the first of these, at least one, as many as fit into so many bytes and do not take long. Throws
   * what went wrong if none can be had.
   */
  firstOf(digests: readonly Sha256[], bytes: number): Promise<Found[]>
  /** Where what is here lies, as of now: one listing for however many are asked for. */
  paths(): Promise<(digest: Sha256) => string | undefined>
}

export function openObjectSource(parts: {
  clock: Clock
  log: Log
  objects: Objects
  /** Where the objects lie. */
  folder: string
  uplink: Upstream
  /** What may be kept here. */
  named: Named
  onAttack: (attack: Pick<Attack, 'kind' | 'from' | 'detail'>) => void
}): ObjectSource {
  const { clock, objects, named, uplink } = parts
  const reads = new Map<Sha256, Promise<Uint8Array | undefined>>()
  const recent = openRecentObjects(clock)

  const fetches = openObjectFetches({
    monotonicMs: () => clock.monotonicMs(),
    ask: (digests, bytes) => uplink.objects(digests, bytes),
    async arrived(came) {
      for (const [digest, bytes] of came) named.learn(digest, bytes)
      const kept = new Map([...came].filter(([digest]) => named.has(digest)))
      // There may be thousands, and one that a power cut damages is fetched again by whoever reads it.
      const manifests = new Map([...kept].filter(([digest]) => named.isManifest(digest)))
      const others = new Map([...kept].filter(([digest]) => !manifests.has(digest)))
      if (manifests.size > 0) await objects.putAll(manifests, { isDurable: false })
      if (others.size > 0) await objects.putAll(others)
      for (const [digest, bytes] of kept) recent.add(digest, bytes)
    },
    forged(digest, actual) {
      const from = uplink.parent()?.node ?? 'parent'
      const detail = `object ${digest} came with digest ${actual}`
      parts.onAttack({ kind: 'object-forged', from, detail })
      uplink.turnAway()
      return new Failure('digest-mismatch', `${detail} from ${from}`, { retry: 'later' })
    },
  })
  const read = async (digest: Sha256) => {
    const bytes = await objects.get(digest)
    if (bytes === undefined) return undefined
    named.learn(digest, bytes)
    recent.add(digest, bytes)
    return bytes
  }
  /** A later revision may name what an earlier one brought, and it has to be learned again what that names. */
  const inMemory = (digest: Sha256) => {
    const bytes = recent.get(digest)
    if (bytes !== undefined) named.learn(digest, bytes)
    return bytes
  }
  /** Several children ask for the same at about the same time. */
  const here = (digest: Sha256): Promise<Uint8Array | undefined> => {
    const known = inMemory(digest)
    if (known !== undefined || fetches.isUnderway(digest)) return Promise.resolve(known)
    const reading = reads.get(digest) ?? read(digest).finally(() => reads.delete(digest))
    reads.set(digest, reading)
    return reading
  }
  const find = async (digest: Sha256, { bytes, isAbsent = false }: Known) => {
    const line = bytes === undefined ? 'leading' : 'payload'
    const known = isAbsent ? inMemory(digest) : await here(digest)
    return known ?? (await fetches.fetch(digest, { line, bytes }))
  }
  /** Asks for what is not here before a child comes to it; what would not be kept it has to wait for. */
  const fetchAhead = async (digests: readonly Sha256[]) => {
    for (const digest of digests) {
      if (!named.has(digest) || !fetches.hasRoom()) continue
      const isHere = recent.get(digest) !== undefined || fetches.isUnderway(digest) || (await objects.has(digest))
      // Whoever waits for it is told what went wrong.
      if (!isHere) fetches.fetch(digest, { line: 'ahead' }).catch(() => {})
    }
  }

  return {
    async need(digest, what, known = {}) {
      const found = await find(digest, known)
      if (found !== undefined) return found
      throw new Failure('not-found', `${what}: no node above has object ${digest}`, { retry: 'later' })
    },

    async firstOf(digests, bytes) {
      const found: Found[] = []
      const late = Promise.withResolvers<'late'>()
      const timer = clock.after(limits.objectsSlowMs, () => late.resolve('late'))
      let sum = 0
      let failure: unknown
      let isAhead = false
      const one = async (digest: Sha256, index: number): Promise<Uint8Array | undefined> => {
        const known = await here(digest)
        if (known !== undefined) return known
        if (!isAhead) background('fetch ahead', parts.log, fetchAhead(digests.slice(index + 1)))
        isAhead = true
        return await fetches.fetch(digest, { line: 'awaited' })
      }
      try {
        for (const [index, digest] of digests.entries()) {
          const coming = one(digest, index).catch((error): Found => {
            failure = error
            return 'failed'
          })
          const next = found.some((each) => each !== 'failed')
            ? await Promise.race([coming, late.promise])
            : await coming
          if (next === 'late') break
          sum += lengthOf(next)
          if (sum > bytes && found.length > 0) break
          found.push(next)
        }
      } finally {
        timer.cancel()
      }
      // Nothing at all: whoever asked may have another parent.
      if (found.every((each) => each === 'failed')) throw failure
      return found
    },

    async paths() {
      const here = new Set(await objects.list())
      return (digest) => (here.has(digest) ? path.join(parts.folder, digest) : undefined)
    },
  }
}
