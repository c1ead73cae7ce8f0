// Small objects by digest: from this node's own folder, else from its parent.

import path from 'node:path'
import { Failure } from '../model/failure.ts'
import type { NodeName, Sha256 } from '../model/names.ts'
import type { Attack } from '../model/report.ts'
import type { Found } from '../model/wire/object-frames.ts'
import { background } from '../work/background.ts'
import type { Objects } from '../world/objects.ts'
import type { Clock, Log } from '../world/world.ts'
import { firstFound } from './first-found.ts'
import { createLocalObjects } from './local-objects.ts'
import { createObjectFetches } from './object-fetches.ts'
import type { RevisionObjects } from './revision-objects.ts'

/** What the caller knows of an object before it asks for it. */
export interface Known {
  /** Size of the object; given for payloads, which yield to everything that leads to payloads. */
  bytes?: number
  /** The object is not in this node's folder. */
  isAbsent?: boolean
}

/** What the object source needs of the node's uplink. */
export interface Upstream {
  /**
   * Requests these objects, in this order. The answer holds at least one and ends once it holds
   * about `bytes` bytes. The digests are not checked here: the caller does.
   */
  objects(digests: readonly Sha256[], bytes: number): Promise<Found[]>
  /**
   * Undefined while this node asks a sibling for objects. Otherwise it asks its parent, and the signal
   * is aborted once it asks a sibling.
   */
  brings(): AbortSignal | undefined
  /** The parent that answered last. */
  parent(): { node: NodeName } | null
  /** The parent sent forged bytes: for a while another parent is asked, where there is one. */
  turnAway(): void
}

export type Asker = 'child' | 'sibling'

export interface ObjectSource {
  /**
   * The object, with its digest checked. `what` names it in messages. Throws what the uplink
   * throws, `digest-mismatch` for forged bytes, and `not-found`, which is worth another try, if no
   * node up to the root has it.
   */
  need(digest: Sha256, what: string, known?: Known): Promise<Uint8Array>
  /**
   * Answers a waiting child: the first of these objects, in this order, at least one. The answer
   * ends before it exceeds `bytes` bytes, and at an object that takes long; `coming` if that is the
   * first. Throws the last failure if not one of them can be had.
   *
   * For a sibling this node waits for its parent only: two siblings that ask each other would
   * otherwise wait for each other. `elsewhere` if the first is not here and a sibling is asked for it.
   */
  firstOf(digests: readonly Sha256[], bytes: number, asker?: Asker): Promise<Found[] | 'coming' | 'elsewhere'>
  /**
   * Lists the folder once; the result says where an object lies, undefined if it did not at that
   * moment.
   */
  paths(): Promise<(digest: Sha256) => string | undefined>
}

export interface ObjectSourceParts {
  clock: Clock
  log: Log
  objects: Objects
  /** Where the objects lie. */
  folder: string
  uplink: Upstream
  /** Which objects may be kept here. */
  named: RevisionObjects
  onAttack: (attack: Pick<Attack, 'kind' | 'from' | 'detail'>) => void
}

export function createObjectSource(parts: ObjectSourceParts): ObjectSource {
  const { clock, log, objects, named, uplink } = parts
  const local = createLocalObjects(parts)
  const fetches = createObjectFetches({
    monotonicMs: () => clock.monotonicMs(),
    request: (digests, bytes) => uplink.objects(digests, bytes),
    arrived: (arrived) => local.keep(arrived),
    forged: (digest, actual) => forgedBy(parts, digest, actual),
  })

  /** The object if it is here. One that is under way is not looked for in the folder. */
  const here = async (digest: Sha256): Promise<Uint8Array | undefined> => {
    const known = await local.fromMemory(digest)
    if (known !== undefined || fetches.isUnderway(digest)) return known
    return await local.read(digest)
  }
  /**
   * Fetches absent objects before the child requests them; objects that would not be kept are left
   * to that request.
   */
  const fetchAhead = async (digests: readonly Sha256[]) => {
    for (const digest of digests) {
      if (!named.has(digest) || !fetches.hasRoom()) continue
      const isComing = fetches.isUnderway(digest) || (await local.has(digest))
      // Only a caller that waits for the object needs its failure.
      if (!isComing) fetches.fetch(digest, { line: 'ahead' }).catch(() => {})
    }
  }

  return {
    async need(digest, what, { bytes, isAbsent = false } = {}) {
      const known = await (isAbsent ? local.fromMemory(digest) : here(digest))
      const line = bytes === undefined ? 'leading' : 'payload'
      const found = known ?? (await fetches.fetch(digest, { line, bytes }))
      if (found !== undefined) return found
      throw new Failure('not-found', `${what}: no node above has object ${digest}`, { retry: 'later' })
    },

    async firstOf(digests, bytes, asker = 'child') {
      let isAhead = false
      const left = asker === 'sibling' ? uplink.brings() : never
      return await firstFound({ clock, digests, bytes }, async (digest, index) => {
        const known = await here(digest)
        if (known !== undefined) return known
        if (left === undefined) return 'elsewhere'
        if (!isAhead) background('fetch ahead', log, fetchAhead(digests.slice(index + 1)))
        isAhead = true
        return await unless(left, fetches.fetch(digest, { line: 'awaited' }))
      })
    },

    async paths() {
      const present = new Set(await objects.list())
      return (digest) => (present.has(digest) ? path.join(parts.folder, digest) : undefined)
    },
  }
}

const never = new AbortController().signal

/** `elsewhere` as soon as the signal is aborted. */
async function unless<T>(left: AbortSignal, work: Promise<T>): Promise<T | 'elsewhere'> {
  if (left === never) return await work
  if (left.aborted) return 'elsewhere'
  const gone = Promise.withResolvers<'elsewhere'>()
  const leave = () => gone.resolve('elsewhere')
  left.addEventListener('abort', leave)
  try {
    return await Promise.race([work, gone.promise])
  } finally {
    left.removeEventListener('abort', leave)
  }
}

function forgedBy({ uplink, onAttack }: ObjectSourceParts, digest: Sha256, actual: Sha256): Failure {
  const from = uplink.parent()?.node ?? 'parent'
  const detail = `object ${digest} came with digest ${actual}`
  onAttack({ kind: 'object-forged', from, detail })
  uplink.turnAway()
  return new Failure('digest-mismatch', `${detail} from ${from}`, { retry: 'later' })
}
