// Root only: creates a fleet, publishes its metadata, lets nodes in. No other node loads this file.
//
//     <home>/fleet/keys/<role>.key.pem   root, targets, snapshot, timestamp, rollouts, ca
//     <home>/fleet/ca.crt.pem
//     <home>/fleet/tuf/                  the published metadata
//     <home>/fleet/tokens/, nodes/       see admission-records.ts
//
// The root key signs the first metadata and is never read again, so its owners may move it away
// to a safe place.

import { join } from 'node:path'
import { limits } from '../model/limits.ts'
import type { Instant, NodeName, Sha256 } from '../model/names.ts'
import { takingTurns } from '../work/turns.ts'
import type { Clock, Random } from '../world/world.ts'
import { openAdmissionRecords } from './admission/admission-records.ts'
import { openAdmissions, type TokenWish } from './admission/admissions.ts'
import { openRevocations, type Revocations, revokedFileIn } from './admission/revocations.ts'
import { createRevokedHeard } from './admission/revoked-heard.ts'
import { type ClockDoubt, createAuthorityClock } from './authority-clock.ts'
import type { EnrolReply } from './enrolment.ts'
import { type FleetDisk, loadAuthority, loadOnlineKeys, settle, storedObject } from './fleet-folder.ts'
import { type FleetSigning, openSigning } from './fleet-signing.ts'
import { fileNameOf, isMetadataFile } from './metadata.ts'
import { publicationOf } from './publications.ts'
import { copyFrom, follow, fromFolder } from './tuf-client.ts'
import type { Ahead } from './versions-heard.ts'

export interface Fleet {
  /** The fleet's name. */
  name: string
  /** The time that the root signs at; see authority-clock.ts. */
  now(): Instant
  /** The clock of a child that has just called. */
  clockHeard(node: NodeName, at: Instant): void
  /** A person vouches for this machine's clock. */
  confirmClock(): void
  /** Null while this machine's clock can be believed. */
  clockDoubt(): ClockDoubt | null
  /** Calls the listener whenever the clock is believed again: the timestamp is due then. */
  onClockBelieved(listener: () => void): void
  /**
   * Stores both as objects, then signs them as the desired state and the state of the rollouts, at
   * once: no node sees the one without the other. The same bytes again change nothing.
   */
  publishRelease(bytes: { revision: Uint8Array; rollouts: Uint8Array }): Promise<void>
  /** The same for the state of the rollouts alone. */
  publishRollouts(bytes: Uint8Array): Promise<void>
  /**
   * Whether the fleet trusts newer metadata than this root has signed. Until `recover`, nothing is
   * signed then: `publishRelease` and `publishRollouts` throw a `conflict` Failure.
   */
  ahead(): Ahead | null
  /** The version of the timestamp that a child trusts. */
  versionHeard(node: NodeName, version: number): void
  /** The metadata that children trust, which a restored root asks them for. */
  metadata: FleetSigning['metadata']
  /**
   * Goes on above what the children trust: takes over the metadata that they have sent, or has the
   * next release, and nothing before it, signed above what they say. Null if no child is ahead.
   */
  recover(): Promise<Ahead | null>
  /** Every revision gets a number above this one. */
  numberFloor(): number
  /** Signs a new timestamp, and every other file that is past half of its lifetime. */
  renewTimestamp(): Promise<void>
  timestamp(): { version: number; expires: Instant; renewAt: Instant }
  /**
   * A published metadata file, byte for byte. The root's own `Trust` and its children read them
   * from here.
   */
  file(name: string): Promise<Uint8Array | undefined>
  /**
   * Answers an enrolment request or a renewal, whoever passed it on. Throws `refused` (no such
   * token, used up, revoked), `expired`, `untrusted` (forged or changed on its way),
   * `already-exists` (the name has another key), `replayed`, or `bad-input`. The same request again
   * is answered again, and counts as one use. A renewal of the root itself, named by `root`, holds
   * whatever the clocks say: the root has the authority's key.
   */
  enrol(request: unknown, root?: NodeName): Promise<EnrolReply>
  /** A join string. */
  createToken(wish: TokenWish): Promise<string>
  /**
   * Refuses the node any further certificate, and turns its key away wherever that becomes known. Its
   * name stays taken. `seen`: the key of the newest report of that node, if there is one.
   */
  revoke(name: NodeName, seen?: Sha256): Promise<void>
  /** The nodes that were admitted and not revoked, without those that are known to the caller. */
  admitted(isKnown: (node: NodeName) => boolean): Promise<NodeName[]>
  revocations: Revocations
  /** The digest of the revocations that a child knows. */
  revokedHeard(node: NodeName, digest: string): void
}

/** Opens the fleet in a home. `dir` is the home. Throws `not-found` if there is no fleet. */
export async function openFleet(parts: {
  dir: string
  clock: Pick<Clock, 'now' | 'monotonicMs'>
  random: Pick<Random, 'bytes'>
  disk: FleetDisk
  timestampLifetimeMs?: number
}): Promise<Fleet> {
  const { dir: home, clock, random, disk, timestampLifetimeMs = limits.timestampLifetimeMs } = parts
  const dir = join(home, 'fleet')
  const folder = join(dir, 'tuf')
  await settle(home, disk)
  const authority = await loadAuthority(dir, disk)
  const keys = await loadOnlineKeys(dir, disk)
  const rootBytes = await disk.read(join(folder, fileNameOf('root', 1)))
  const fetch = fromFolder(folder, disk)
  // The root checks first what its nodes will check. Expiry is left aside, because the root renews
  // what has expired.
  const published = publicationOf(await follow(copyFrom(rootBytes), fetch, () => 0))
  const records = await openAdmissionRecords({ dir, disk })
  const believedListeners: (() => void)[] = []
  const time = createAuthorityClock({
    ...{ clock, signedAt: published.signedAt, othersCount: records.othersCount },
    onBelieved: () => {
      for (const listener of believedListeners) listener()
    },
  })
  const inTurn = takingTurns()
  const signing = await openSigning({
    ...{ dir, folder, disk, clock, time, keys, timestampLifetimeMs, published, rootBytes },
  })
  const isRestored = () => signing.numberFloor() > 0
  const revocations = await openRevocations({ file: revokedFileIn(home), ca: authority.certificate, disk })
  const revokedHeard = createRevokedHeard(clock, revocations)
  const admissions = await openAdmissions({
    ...{ authority, rootBytes, clock: time, random, records, isRestored },
    ...{ revocations, revokedHeard },
  })

  return {
    name: authority.fleet,
    now: time.now,
    clockHeard: time.heard,
    confirmClock: time.confirm,
    clockDoubt: time.doubt,
    onClockBelieved: (listener) => {
      believedListeners.push(listener)
    },
    publishRollouts: (bytes) =>
      inTurn(async () => {
        const change = { rollouts: await storedObject(home, bytes, disk) }
        if (signing.isNews(change)) await signing.publish(change)
      }),
    publishRelease: (bytes) =>
      inTurn(async () => {
        const change = {
          revision: await storedObject(home, bytes.revision, disk),
          rollouts: await storedObject(home, bytes.rollouts, disk),
        }
        if (signing.isNews(change)) await signing.publish(change)
      }),
    ahead: signing.ahead,
    versionHeard: signing.versionHeard,
    metadata: signing.metadata,
    recover: () => inTurn(signing.recover),
    numberFloor: signing.numberFloor,
    renewTimestamp: () => inTurn(() => signing.publish({})),
    timestamp: signing.timestamp,
    file: async (name) => {
      // A timestamp is given out only once it is durable, so its version is never signed again with
      // other content.
      if (name === 'timestamp.json') return signing.published().timestampFile.bytes
      return isMetadataFile(name) ? await fetch(name, limits.tufFileMaxBytes) : undefined
    },
    enrol: (request, root) => admissions.enrol(request, root),
    createToken: (wish) => admissions.createToken({ ...wish, timestampVersion: signing.timestamp().version }),
    revoke: (name, seen) => admissions.revoke(name, seen),
    admitted: records.admitted,
    revocations: { ...revocations, add: admissions.learn },
    revokedHeard: revokedHeard.heard,
  }
}
