// The keys that the fleet has turned away: those of revoked nodes, and those that were replaced.
// Each stands in a statement of its own, so anybody may pass it on, up as well as down. Statements only
// gather: there is no version to fall back behind.

import { hash, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, Sha256 } from '../../model/names.ts'
import { takingTurns } from '../../work/turns.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Disk } from '../../world/world.ts'
import { endsFirst, isStronger, keptOf } from './kept-revocations.ts'
import { checkSigned, parseRevocations, type Revocation } from './revocation-statements.ts'

export interface Revocations {
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
  const bytes = await readIfThere(disk, file)
  let kept = byKey(bytes === undefined ? [] : keptOf(parseRevocations(bytes, file)))
  const listeners: ((added: readonly Revocation[]) => void)[] = []
  return {
    onAdded: (listener) => void listeners.push(listener),
    has: (keyId) => kept.has(keyId),
    get: (keyId) => kept.get(keyId),
    checkRoom: (now) => checkRoom([...kept.values()], now),
    digest: () => digestOf(kept.values()),
    all: () => [...kept.values()],
    add: (statements) =>
      inTurn(async () => {
        const fresh = statements.filter((each) => isStronger(each, kept.get(each.keyId)))
        for (const each of fresh) checkSigned(each, publicKey)
        const next = keptOf([...kept.values(), ...fresh])
        const added = fresh.filter((each) => next.includes(each))
        if (added.length === 0) return []
        await disk.write(file, JSON.stringify(next), { mode: 0o600 })
        kept = byKey(next)
        for (const listener of listeners) listener(added)
        return added
      }),
  }
}

function byKey(statements: readonly Revocation[]): ReadonlyMap<Sha256, Revocation> {
  return new Map(statements.map((each) => [each.keyId, each]))
}

function digestOf(statements: Iterable<Revocation>): string {
  const all = [...statements].map(({ keyId, at, replaced }) => `${keyId} ${at} ${replaced ?? false}`).sort()
  return all.length === 0 ? '' : hash('sha256', all.join('\n'), 'hex').slice(0, 16)
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
