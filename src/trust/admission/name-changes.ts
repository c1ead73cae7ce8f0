// Root only: a name goes to another key, or to none. The record comes first, and names the keys that are
// to be turned away; the statements follow. After a crash or on a full disk in between, the same request
// goes on, and so does the next call of that node.

import { limits } from '../../model/limits.ts'
import type { Instant, NodeName, Sha256 } from '../../model/names.ts'
import type { NodeRecord } from './admission-records.ts'
import type { Desk } from './desk.ts'
import { type Revocation, revocationOf } from './revocation-statements.ts'

type Parts = Pick<Desk, 'records' | 'revocations' | 'clock' | 'authority'>

/** Resolves with the new record, which has nothing left to do. */
export async function giveTo(
  parts: Parts,
  { name, keyId, former }: { name: NodeName; keyId: Sha256; former: NodeRecord | undefined },
): Promise<NodeRecord> {
  const since = parts.clock.now()
  const before = former === undefined ? [] : [...(former.formerKeys ?? []), former.keyId]
  const formerKeys = before.slice(-limits.formerKeysMax)
  // Keys beyond that belong to as many tries that all failed.
  await replace(parts, name, { keys: before.slice(0, -limits.formerKeysMax), at: since })
  const record: NodeRecord = { keyId, since, revokedAt: null, ...(formerKeys.length > 0 && { formerKeys }) }
  await parts.records.putNode(name, record)
  return await settle(parts, name, record)
}

/**
 * The name keeps its record, without a key that is good for anything. `seen`: the key that the newest
 * report of the node was signed with; a restored root may know an older one only. Throws `too-large`, and
 * changes nothing, if the fleet could not keep that in mind.
 */
export async function takeFrom(
  parts: Parts,
  { name, node, seen = node.keyId }: { name: NodeName; node: NodeRecord; seen?: Sha256 | undefined },
): Promise<void> {
  const at = parts.clock.now()
  if (!isRevoked(parts, node.keyId)) parts.revocations.checkRoom(at)
  const record = { ...node, revokedAt: node.revokedAt ?? at }
  if (node.revokedAt === null) await parts.records.putNode(name, record)
  // Said anew, as of now, if the former statement was pushed out.
  await turnAway(parts, { node: name, keyId: node.keyId })
  if (!parts.revocations.has(seen)) await turnAway(parts, { node: name, keyId: seen })
  await settle(parts, name, record)
}

/** Resolves once it is said, as of now, that this key was revoked. */
export async function turnAway(parts: Parts, key: { node: NodeName; keyId: Sha256 }): Promise<void> {
  const { node, keyId } = key
  if (isRevoked(parts, keyId)) return
  const at = parts.clock.now()
  await parts.revocations.add([revocationOf({ node, keyId, at }, parts.authority.privateKey)])
}

function isRevoked({ revocations }: Parts, keyId: Sha256): boolean {
  const known = revocations.get(keyId)
  return known !== undefined && known.replaced === undefined
}

/** Writes into the records what other nodes have told: statements may be pushed out, records are not. */
export async function noteRevoked({ records }: Parts, statements: readonly Revocation[]): Promise<void> {
  for (const { node: name, keyId, at, replaced } of statements) {
    const node = replaced === true ? undefined : await records.node(name)
    if (node?.keyId === keyId && node.revokedAt === null) await records.putNode(name, { ...node, revokedAt: at })
  }
}

/** Turns away what this record says, if that is not done yet. Resolves with the record as it then is. */
export async function settle(parts: Parts, name: NodeName, record: NodeRecord): Promise<NodeRecord> {
  const { formerKeys = [], ...rest } = record
  const { keyId, since, revokedAt } = rest
  if (revokedAt !== null && !parts.revocations.has(keyId)) {
    const statement = revocationOf({ node: name, keyId, at: revokedAt }, parts.authority.privateKey)
    await parts.revocations.add([statement])
  }
  if (formerKeys.length === 0) return rest
  await replace(parts, name, { keys: formerKeys, at: since })
  await parts.records.putNode(name, rest)
  return rest
}

/** Resolves once it is said of these keys, which had the name, that they have it no more. */
export async function replace(
  { revocations, authority }: Parts,
  node: NodeName,
  { keys, at }: { keys: readonly Sha256[]; at: Instant },
): Promise<void> {
  await revocations.add(keys.map((keyId) => revocationOf({ node, keyId, at, replaced: true }, authority.privateKey)))
}
