// What a root has signed last, and signing the next. A root that was restored from an older copy
// signs nothing before a person recovers it: versions-heard.ts says how it learns that.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Instant } from '../model/names.ts'
import type { Clock } from '../world/world.ts'
import type { AuthorityClock } from './authority-clock.ts'
import { type FleetDisk, readFloor, writeFloor } from './fleet-folder.ts'
import type { OnlineKeys } from './metadata-signing.ts'
import { createProvenMetadata, type ProvenMetadata } from './proven-metadata.ts'
import {
  type Change,
  endOf,
  isNews,
  type Publication,
  publicationAfter,
  publicationOf,
  writePublication,
} from './publications.ts'
import type { Verified } from './tuf-client.ts'
import { type Ahead, aheadText, createVersionsHeard, type VersionsHeard } from './versions-heard.ts'

export interface FleetSigning {
  published(): Publication
  /** Throws `conflict` for a restored root. */
  publish(change: Change): Promise<void>
  /** Whether publishing the change would say something new. */
  isNews(change: Change): boolean
  /** See `Fleet`. */
  timestamp(): { version: number; expires: Instant; renewAt: Instant }
  ahead(): Ahead | null
  versionHeard: VersionsHeard['heard']
  metadata: Pick<ProvenMetadata, 'isWantedOf' | 'asked' | 'take'>
  recover(): Promise<Ahead | null>
  numberFloor(): number
}

export async function openSigning(parts: {
  /** `<home>/fleet`. */
  dir: string
  /** Its published metadata. */
  folder: string
  disk: FleetDisk
  time: Pick<AuthorityClock, 'now'>
  clock: Pick<Clock, 'monotonicMs'>
  keys: OnlineKeys
  timestampLifetimeMs: number
  published: Publication
  rootBytes: Uint8Array
}): Promise<FleetSigning> {
  const { dir, folder, disk, time, keys, timestampLifetimeMs } = parts
  let { published } = parts
  let renewedAt = Math.min(published.signedAt, time.now())
  let above = await readFloor(dir, disk)
  const versions = createVersionsHeard(parts.clock)
  /** Whether a person has recovered this root, and nothing was released since. */
  const isRecovered = () => above >= published.timestampFile.version
  const signedVersion = () => published.timestampFile.version
  const proven = createProvenMetadata({
    rootBytes: parts.rootBytes,
    clock: parts.clock,
    signed: signedVersion,
    heardOf: versions.of,
  })
  const provenAhead = (): Ahead | null => {
    const newest = proven.newest()
    const signed = signedVersion()
    if (newest === null) return null
    return { version: newest.versions.timestamp, signed, ...versions.counts(signed), isProven: true }
  }
  // Proof may come after a person has recovered this root by the words of its children.
  const ahead = () => provenAhead() ?? (isRecovered() ? null : versions.ahead(signedVersion()))
  /** The fleet's newest metadata takes the place of what the copy had. */
  const takeBack = async (newest: Verified) => {
    above = Math.max(above, restoredFloor)
    await writeFloor(dir, above, disk)
    const next = publicationOf(newest)
    await writePublication(folder, { before: undefined, next }, disk)
    published = next
    renewedAt = Math.min(next.signedAt, time.now())
  }

  return {
    published: () => published,
    async publish(change) {
      refuseIfAhead(ahead())
      if (isRecovered() && change.revision === undefined) refuseBeforeRelease()
      const now = time.now()
      const next = publicationAfter(published, change, { now, keys, timestampLifetimeMs, above })
      await writePublication(folder, { before: published, next }, disk)
      published = next
      renewedAt = now
    },
    isNews: (change) => isRecovered() || isNews(published, change),
    timestamp() {
      const expires = endOf(published.timestampFile)
      const { signedAt } = published
      // The published timestamp may be older than a setting that shortened the lifetime.
      const lifetimeMs = Math.min(expires - signedAt, timestampLifetimeMs)
      // A signed time in the future, from a clock that was wrong, does not delay the next timestamp.
      const renewAt = Math.min(signedAt, renewedAt) + Math.min(limits.timestampRenewAfterMs, lifetimeMs / 4)
      return { version: published.timestampFile.version, expires, renewAt }
    },
    ahead,
    versionHeard: versions.heard,
    metadata: proven,
    async recover() {
      const found = ahead()
      if (found === null) return null
      const newest = proven.newest()
      if (newest !== null) {
        await takeBack(newest)
        return found
      }
      await writeFloor(dir, found.version, disk)
      above = found.version
      return found
    },
    numberFloor: () => above,
  }
}

/** Marks a root that was restored: nodes are known by their certificates where records are missing. */
const restoredFloor = 1

function refuseIfAhead(ahead: Ahead | null): void {
  if (ahead === null) return
  throw new Failure('conflict', aheadText(ahead), { hint: 'banyan recover has the next release go on above that' })
}

/** What was released before the copy is not brought back: the next release says what is wanted. */
function refuseBeforeRelease(): never {
  throw new Failure(
    'conflict',
    'this root was restored from an older copy and recovered: it signs the next release first',
    {
      hint: 'banyan plan shows what that would change, banyan release signs it',
    },
  )
}
