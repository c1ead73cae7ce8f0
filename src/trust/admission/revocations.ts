// The keys that the fleet has turned away: those of revoked nodes, and those that were replaced.
// Each stands in a statement of its own, so anybody may pass it on, up as well as down. Statements only
// gather: there is no version to fall back behind.

import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, Sha256 } from '../../model/names.ts'
import { takingTurns } from '../../work/turns.ts'
import type { Disk } from '../../world/world.ts'
import { endsFirst, isStronger, keptOf } from './kept-revocations.ts'
import { bucketDigests, bucketsOf, digestOf } from './revocation-buckets.ts'
import { checkSigned, type Revocation } from './revocation-statements.ts'
import { readRevocations, writeRevocations } from './revocations-file.ts'

export interface Revocations {
  /** What was damaged on the disk at the start, in words for a person. */
  damage: string | null
  has(keyId: Sha256): boolean
  get(keyId: Sha256): Revocation | undefined
  /**
   * Throws `too-large` if one more node that is revoked now would push another one out whose certificate
   * may hold yet.
   */
  checkRoom(now: Instant): void
  /** The same on two nodes that know the same; empty for none. */
  digest(): string
  /** The newest first. */
  all(): readonly Revocation[]
  /** See revocation-buckets.ts. */
  bucketDigests(): string
  inBuckets(names: readonly string[]): Revocation[]
  /**
   * Resolves with those that were not known, once they are durable. Throws `untrusted`, and takes none,
   * if one of them is not signed by the authority.
   */
  add(statements: readonly Revocation[]): Promise<Revocation[]>
  /** Calls the listener with those that were not known before. */
  onAdded(listener: (added: readonly Revocation[]) => void): void
}

/** In the home of every node. */
export function revokedFileIn(home: string): string {
  return join(home, 'revoked.json')
}

/** `ca` is the authority's certificate, as PEM or DER. */
export async function openRevocations(parts: {
  file: string
  ca: string | Uint8Array
  disk: Pick<Disk, 'read' | 'write'>
}): Promise<Revocations> {
  const { file, disk } = parts
  const inTurn = takingTurns()
  const { publicKey } = new X509Certificate(parts.ca)
  const { kept, damage } = await readRevocations(file, publicKey, disk)
  let known = knownOf(kept)
  const listeners: ((added: readonly Revocation[]) => void)[] = []
  return {
    damage,
    onAdded: (listener) => void listeners.push(listener),
    has: (keyId) => known.byKey.has(keyId),
    get: (keyId) => known.byKey.get(keyId),
    checkRoom: (now) => checkRoom(known.all, now),
    digest: () => known.digest,
    all: () => known.all,
    bucketDigests: () => known.bucketDigests,
    inBuckets: (names) => names.flatMap((name) => known.buckets.get(name) ?? []),
    add: (statements) =>
      inTurn(async () => {
        const fresh = statements.filter((each) => isStronger(each, known.byKey.get(each.keyId)))
        for (const each of fresh) checkSigned(each, publicKey)
        const next = keptOf([...known.all, ...fresh])
        const added = fresh.filter((each) => next.includes(each))
        if (added.length === 0) return []
        await writeRevocations(file, next, disk)
        known = knownOf(next)
        for (const listener of listeners) listener(added)
        return added
      }),
  }
}

/** Children ask for the digests once a minute each, so these are made once for each change. */
function knownOf(all: readonly Revocation[]) {
  const buckets = bucketsOf(all)
  return {
    ...{ all, buckets, bucketDigests: bucketDigests(buckets) },
    byKey: new Map(all.map((each) => [each.keyId, each])),
    digest: all.length === 0 ? '' : digestOf(all, 16),
  }
}

function checkRoom(kept: readonly Revocation[], now: Instant): void {
  const first = endsFirst(kept)
  if (first === undefined) return
  const freeAt = first.at + limits.revocationNeededMs
  if (first.at < now && freeAt <= now) return
  throw new Failure('too-large', `${limits.revocationsKept} nodes are revoked, and nodes know of no more than that`, {
    hint:
      `there is room from ${new Date(freeAt).toISOString()} on; until then a machine that joins with a token of ` +
      'banyan token create --replaces NODE takes the name, and the former key is turned away',
  })
}
