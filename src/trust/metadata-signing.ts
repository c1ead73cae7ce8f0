// Writes and signs each TUF metadata file. The only user of @tufjs/models.

import { hash, type KeyObject, sign } from 'node:crypto'
import { Metadata, MetadataKind, Signature } from '@tufjs/models'
import { limits } from '../model/limits.ts'
import type { Instant } from '../model/names.ts'
import { publicKeyDer } from './keys.ts'
import { revisionTarget, rolloutsTarget, signedAtField, type TargetDigest } from './metadata.ts'

/**
 * The TUF keys that a root server holds: all but the root key, which a fleet needs only to change
 * its keys.
 */
export interface OnlineKeys {
  targets: KeyObject
  snapshot: KeyObject
  timestamp: KeyObject
  rollouts: KeyObject
}

export interface RoleKeys extends OnlineKeys {
  root: KeyObject
}

/** A signed file and its version. */
export interface SignedFile {
  version: number
  bytes: Uint8Array
}

interface Writing {
  version: number
  now: Instant
  keys: OnlineKeys
}

/**
 * `signedBy` has further root keys: a new version is signed by the keys of the version before, too.
 */
export function rootFile(parts: Omit<Writing, 'keys'> & { keys: RoleKeys; signedBy?: KeyObject[] }): SignedFile {
  const { version, now, keys, signedBy = [] } = parts
  const roles = ['root', 'targets', 'snapshot', 'timestamp'] as const
  const body = {
    _type: MetadataKind.Root,
    consistent_snapshot: true,
    keys: Object.fromEntries(roles.map((role) => [tufKeyId(keys[role]), tufKey(keys[role])])),
    roles: Object.fromEntries(roles.map((role) => [role, { keyids: [tufKeyId(keys[role])], threshold: 1 }])),
    ...heading(version, now + limits.rootLifetimeMs),
  }
  return { version, bytes: signed(MetadataKind.Root, body, [keys.root, ...signedBy]) }
}

/**
 * Delegates the rollouts to a key of the root server. That key can hold waves back, but release
 * nothing.
 */
export function targetsFile({ version, now, keys, revision }: Writing & { revision: TargetDigest | null }): SignedFile {
  const id = tufKeyId(keys.rollouts)
  const body = {
    _type: MetadataKind.Targets,
    targets: revision === null ? {} : { [revisionTarget]: targetBody(revision) },
    delegations: {
      keys: { [id]: tufKey(keys.rollouts) },
      roles: [{ name: 'rollouts', keyids: [id], threshold: 1, terminating: true, paths: [rolloutsTarget] }],
    },
    ...heading(version, now + limits.targetsLifetimeMs),
  }
  return { version, bytes: signed(MetadataKind.Targets, body, [keys.targets]) }
}

export function rolloutsFile({ version, now, keys, rollouts }: Writing & { rollouts: TargetDigest }): SignedFile {
  const body = {
    _type: MetadataKind.Targets,
    targets: { [rolloutsTarget]: targetBody(rollouts) },
    ...heading(version, now + limits.targetsLifetimeMs),
  }
  return { version, bytes: signed(MetadataKind.Targets, body, [keys.rollouts]) }
}

export function snapshotFile(
  { version, now, keys }: Writing,
  files: { targets: SignedFile; rollouts: SignedFile },
): SignedFile {
  const body = {
    _type: MetadataKind.Snapshot,
    meta: { 'targets.json': metaBody(files.targets), 'rollouts.json': metaBody(files.rollouts) },
    ...heading(version, now + limits.snapshotLifetimeMs),
  }
  return { version, bytes: signed(MetadataKind.Snapshot, body, [keys.snapshot]) }
}

export function timestampFile(
  { version, now, keys }: Writing,
  { snapshot, lifetimeMs }: { snapshot: SignedFile; lifetimeMs: number },
): SignedFile {
  const body = {
    _type: MetadataKind.Timestamp,
    meta: { 'snapshot.json': metaBody(snapshot) },
    [signedAtField]: now,
    ...heading(version, now + lifetimeMs),
  }
  return { version, bytes: signed(MetadataKind.Timestamp, body, [keys.timestamp]) }
}

type Body = Parameters<typeof Metadata.fromJSON>[1]

function signed(kind: MetadataKind, body: Body, keys: KeyObject[]): Uint8Array {
  // Each overload has one kind, and this function has all.
  const read = Metadata.fromJSON as (kind: MetadataKind, data: Body) => Metadata<never>
  const metadata = read.call(Metadata, kind, { signed: body, signatures: [] })
  for (const key of keys) {
    metadata.sign((data) => new Signature({ keyID: tufKeyId(key), sig: sign(null, data, key).toString('hex') }))
  }
  return new TextEncoder().encode(JSON.stringify(metadata.toJSON()))
}

/** TUF times have whole seconds, so the end is rounded up. */
function heading(version: number, expires: Instant): { spec_version: string; version: number; expires: string } {
  const seconds = new Date(Math.ceil(expires / 1000) * 1000).toISOString()
  return { spec_version: '1.0.31', version, expires: seconds.replace('.000Z', 'Z') }
}

function targetBody({ sha256, size }: TargetDigest): Body {
  return { length: size, hashes: { sha256 } }
}

function metaBody({ version, bytes }: SignedFile): Body {
  return { version, length: bytes.byteLength, hashes: { sha256: hash('sha256', bytes, 'hex') } }
}

function tufKey(key: KeyObject): Body {
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: rawPublicKey(key) } }
}

/** TUF 4.2: SHA-256 of the key's canonical JSON, with sorted names. */
function tufKeyId(key: KeyObject): string {
  const canonical = `{"keytype":"ed25519","keyval":{"public":"${rawPublicKey(key)}"},"scheme":"ed25519"}`
  return hash('sha256', canonical, 'hex')
}

/** The 32 bytes at the end of the SubjectPublicKeyInfo, in hex. */
function rawPublicKey(key: KeyObject): string {
  return publicKeyDer(key).subarray(-32).toString('hex')
}
