// The keys that the fleet has turned away: those of revoked nodes, and those that a node has replaced.
// Each stands in a statement of its own, signed by the fleet's authority, so anybody may pass it on, up
// as well as down. Statements only gather: there is no version to fall back behind.

import { hash, type KeyObject, sign, verify, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { instantSchema, nodeNameSchema, type Sha256, sha256Schema } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import { takingTurns } from '../../work/turns.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Disk } from '../../world/world.ts'
import { preAuthenticationEncoding } from '../envelope.ts'

const revocationSchema = v.strictObject({
  node: nodeNameSchema,
  keyId: sha256Schema,
  at: instantSchema,
  /** Base64 of the authority's signature of the fields before. */
  sig: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/)),
})
export type Revocation = v.InferOutput<typeof revocationSchema>

const parseStatements = parserOf(
  v.pipe(v.array(revocationSchema), v.maxLength(limits.revocationsKept, 'more revocations than a fleet keeps')),
)

export interface Revocations {
  has(keyId: Sha256): boolean
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

/** A message that holds statements. Throws `bad-input`. */
export function parseRevocations(bytes: Uint8Array, where: string): Revocation[] {
  return parseStatements(parseJson(bytes, where, limits.revocationMarksMax), where)
}

/** `authority` is the authority's private key. */
export function revocationOf(what: Omit<Revocation, 'sig'>, authority: KeyObject): Revocation {
  return { ...what, sig: sign(null, signedBytes(what), authority).toString('base64') }
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
  let kept = bytes === undefined ? [] : newestOf(parseRevocations(bytes, file))
  let keys = new Set(kept.map(({ keyId }) => keyId))
  const listeners: ((added: readonly Revocation[]) => void)[] = []
  return {
    onAdded: (listener) => void listeners.push(listener),
    has: (keyId) => keys.has(keyId),
    digest: () => (kept.length === 0 ? '' : hash('sha256', [...keys].sort().join(' '), 'hex').slice(0, 16)),
    all: () => kept,
    add: (statements) =>
      inTurn(async () => {
        const fresh = statements.filter(({ keyId }) => !keys.has(keyId))
        for (const each of fresh) checkSigned(each, publicKey)
        const next = newestOf([...kept, ...fresh])
        const added = fresh.filter((each) => next.includes(each))
        if (added.length === 0) return []
        await disk.write(file, JSON.stringify(next), { mode: 0o600 })
        kept = next
        keys = new Set(kept.map(({ keyId }) => keyId))
        for (const listener of listeners) listener(added)
        return added
      }),
  }
}

/**
 * A key that was turned away longer ago has no certificate any more that holds. The order is the same
 * everywhere, so all nodes keep the same ones.
 */
function newestOf(all: readonly Revocation[]): Revocation[] {
  const byKey = new Map(all.map((each) => [each.keyId, each]))
  return [...byKey.values()]
    .sort((a, b) => b.at - a.at || (a.keyId < b.keyId ? -1 : 1))
    .slice(0, limits.revocationsKept)
}

function checkSigned({ sig, ...what }: Revocation, authority: KeyObject): void {
  if (verify(null, signedBytes(what), authority, Buffer.from(sig, 'base64'))) return
  throw new Failure('untrusted', `the revocation of ${what.node} is not signed by the fleet's authority`)
}

function signedBytes({ node, keyId, at }: Omit<Revocation, 'sig'>): Buffer {
  const payload = Buffer.from(JSON.stringify({ node, keyId, at }))
  return preAuthenticationEncoding('application/vnd.banyan.revocation.v1+json', payload)
}
