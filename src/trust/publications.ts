// The fleet's TUF metadata: decides the next state, and writes it so that a crash leaves the old
// state whole.

import { join } from 'node:path'
import { limits } from '../model/limits.ts'
import type { Instant } from '../model/names.ts'
import type { Disk } from '../world/world.ts'
import { fieldsOf, fileNameOf, type TargetDigest } from './metadata.ts'
import {
  type OnlineKeys,
  rolloutsFile,
  type SignedFile,
  snapshotFile,
  targetsFile,
  timestampFile,
} from './metadata-signing.ts'
import type { Verified } from './tuf-client.ts'

export interface Publication {
  revision: TargetDigest | null
  rollouts: TargetDigest
  targetsFile: SignedFile
  rolloutsFile: SignedFile
  snapshotFile: SignedFile
  timestampFile: SignedFile
  signedAt: Instant
}

export interface Change {
  revision?: TargetDigest
  rollouts?: TargetDigest
}

interface Signing {
  now: Instant
  keys: OnlineKeys
  timestampLifetimeMs: number
  /** All files get versions above this one. 0 unless the root was restored from an older copy. */
  above?: number
}

export function firstPublication(rollouts: TargetDigest, { now, keys, timestampLifetimeMs }: Signing): Publication {
  const writing = { version: 1, now, keys }
  const targets = targetsFile({ ...writing, revision: null })
  const rolloutsSigned = rolloutsFile({ ...writing, rollouts })
  const snapshot = snapshotFile(writing, { targets, rollouts: rolloutsSigned })
  return {
    revision: null,
    rollouts,
    targetsFile: targets,
    rolloutsFile: rolloutsSigned,
    snapshotFile: snapshot,
    timestampFile: timestampFile(writing, { snapshot, lifetimeMs: timestampLifetimeMs }),
    signedAt: now,
  }
}

/**
 * The next state. It always has a new timestamp. Other files are signed anew if they changed or are
 * past half of their lifetime.
 */
export function publicationAfter(
  before: Publication,
  change: Change,
  { now, keys, timestampLifetimeMs, above = 0 }: Signing,
): Publication {
  // Even if the clock was set back, the signed time never decreases: the nodes' clock floors would
  // be past its end.
  const signedAt = Math.max(now, before.signedAt)
  const next = { ...before, ...change, signedAt }
  const after = (file: SignedFile) => ({ version: Math.max(file.version, above) + 1, now: signedAt, keys })
  const isWorn = (file: SignedFile, lifetimeMs: number) =>
    file.version <= above || endOf(file) - signedAt < lifetimeMs / 2

  if (!isSame(next.revision, before.revision) || isWorn(before.targetsFile, limits.targetsLifetimeMs)) {
    next.targetsFile = targetsFile({ ...after(before.targetsFile), revision: next.revision })
  }
  if (!isSame(next.rollouts, before.rollouts) || isWorn(before.rolloutsFile, limits.targetsLifetimeMs)) {
    next.rolloutsFile = rolloutsFile({ ...after(before.rolloutsFile), rollouts: next.rollouts })
  }
  const isSnapshotSame = next.targetsFile === before.targetsFile && next.rolloutsFile === before.rolloutsFile
  if (!isSnapshotSame || isWorn(before.snapshotFile, limits.snapshotLifetimeMs)) {
    next.snapshotFile = snapshotFile(after(before.snapshotFile), {
      targets: next.targetsFile,
      rollouts: next.rolloutsFile,
    })
  }
  next.timestampFile = timestampFile(after(before.timestampFile), {
    snapshot: next.snapshotFile,
    lifetimeMs: timestampLifetimeMs,
  })
  return next
}

/** Whether the change would alter what is published. */
export function isNews(before: Publication, change: Change): boolean {
  const next = { ...before, ...change }
  return !isSame(next.revision, before.revision) || !isSame(next.rollouts, before.rollouts)
}

/** The published state, from a fleet's own metadata that was read back and verified. */
export function publicationOf({ copy, versions, revision, rollouts, signedAt }: Verified): Publication {
  const file = (role: 'targets' | 'rollouts' | 'snapshot' | 'timestamp'): SignedFile => {
    const bytes = copy.current.get(role)
    if (bytes === undefined) throw new TypeError(`metadata without ${role}`)
    return { version: versions[role], bytes }
  }
  if (rollouts === null) throw new TypeError('metadata without rollouts')
  return {
    revision,
    rollouts,
    targetsFile: file('targets'),
    rolloutsFile: file('rollouts'),
    snapshotFile: file('snapshot'),
    timestampFile: file('timestamp'),
    signedAt,
  }
}

/**
 * Writes the timestamp last. Until the timestamp names the new files, they are not part of the
 * fleet's metadata, and after a crash the next publication overwrites them.
 */
export async function writePublication(
  folder: string,
  { before, next }: { before: Publication | undefined; next: Publication },
  disk: Pick<Disk, 'write' | 'remove'>,
): Promise<void> {
  for (const role of ['targets', 'rollouts', 'snapshot'] as const) {
    const file = next[`${role}File`]
    if (file !== before?.[`${role}File`]) await disk.write(join(folder, fileNameOf(role, file.version)), file.bytes)
  }
  for (const role of ['targets', 'rollouts', 'snapshot'] as const) {
    const old = next[`${role}File`].version - limits.metadataVersionsKept
    if (old > 0) await disk.remove(join(folder, fileNameOf(role, old)))
  }
  await disk.write(join(folder, 'timestamp.json'), next.timestampFile.bytes)
}

export function endOf(file: SignedFile): Instant {
  return fieldsOf(file.bytes, 'metadata').expires
}

function isSame(a: TargetDigest | null, b: TargetDigest | null): boolean {
  return a?.sha256 === b?.sha256 && a?.size === b?.size
}
