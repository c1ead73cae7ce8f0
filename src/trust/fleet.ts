// Root only: creates a fleet, publishes its metadata, lets nodes in. No other node loads this file.
//
//     <home>/fleet/keys/<role>.key.pem   root, targets, snapshot, timestamp, rollouts, ca
//     <home>/fleet/ca.crt.pem
//     <home>/fleet/tuf/                  the published metadata
//     <home>/fleet/tokens/, nodes/       see admission-records.ts
//
// The root key signs the first metadata and is never read again, so its owners may move it away
// to a safe place.

import { hash, type KeyObject, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Instant, type NodeName, nodeNameSchema, wordSchema } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import { takingTurns } from '../work/turns.ts'
import { openObjects } from '../world/objects.ts'
import type { Clock, Disk, Random } from '../world/world.ts'
import { initAdmissions, openAdmissionRecords } from './admission-records.ts'
import { openAdmissions, type TokenWish } from './admissions.ts'
import { type ClockDoubt, createAuthorityClock } from './authority-clock.ts'
import { type Authority, createAuthorityCertificate, createNodeCertificate, fleetOf } from './certificates.ts'
import type { EnrolReply } from './enrolment.ts'
import { nodeIdentityFrom, readPrivate, saveIdentity, tlsIdentityOf } from './identity.ts'
import { certificatePem, privateKeyFrom, privateKeyFromPem, privateKeyPem, seedBytes } from './keys.ts'
import { fileNameOf, isMetadataFile, type TargetDigest } from './metadata.ts'
import { type OnlineKeys, rootFile } from './metadata-signing.ts'
import {
  type Change,
  endOf,
  firstPublication,
  isNews,
  publicationAfter,
  publicationOf,
  writePublication,
} from './publications.ts'
import { bootstrapTrust } from './trust-store.ts'
import { copyFrom, follow, fromFolder } from './tuf-client.ts'

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
   * however long ago the certificate ended: the root has the authority's key.
   */
  enrol(request: unknown, root?: NodeName): Promise<EnrolReply>
  /** A join string. */
  createToken(wish: TokenWish): Promise<string>
  /**
   * Refuses the node any further certificate. Its name stays taken, and its present certificate
   * holds to its end.
   */
  revoke(name: NodeName): Promise<void>
}

type FleetDisk = Pick<Disk, 'read' | 'write' | 'writeAll' | 'list' | 'stat' | 'makeFolder' | 'remove' | 'rename'>

const onlineRoles = ['targets', 'snapshot', 'timestamp', 'rollouts'] as const

const parseFleetName = parserOf(wordSchema)
const parseNodeName = parserOf(nodeNameSchema)

/**
 * Creates a fleet and its root node in a home that has neither, all or nothing. `dir` is the home.
 * Throws `already-exists` if there is a fleet, or a node that joined one.
 */
export async function initFleet(parts: {
  dir: string
  /** The fleet's name: a word. */
  name: string
  nodeName: NodeName
  clock: Pick<Clock, 'now'>
  random: Pick<Random, 'bytes'>
  disk: FleetDisk
  timestampLifetimeMs?: number
}): Promise<void> {
  const { dir: home, clock, random, disk, timestampLifetimeMs = limits.timestampLifetimeMs } = parts
  const fleetName = parseFleetName(parts.name, 'fleet name')
  const nodeName = parseNodeName(parts.nodeName, 'node name')
  await refuseSecond(home, disk)
  const building = join(home, 'fleet.new')
  await disk.remove(building)
  const now = clock.now()

  const newKey = async (name: string): Promise<KeyObject> => {
    const key = privateKeyFrom(random.bytes(seedBytes))
    await disk.write(keyPath(building, name), privateKeyPem(key), { mode: 0o600 })
    return key
  }
  await disk.makeFolder(building, { mode: 0o700 })
  await disk.makeFolder(join(building, 'keys'), { mode: 0o700 })
  const keys = {
    root: await newKey('root'),
    targets: await newKey('targets'),
    snapshot: await newKey('snapshot'),
    timestamp: await newKey('timestamp'),
    rollouts: await newKey('rollouts'),
  }

  const authorityKey = await newKey('ca')
  const certificate = await createAuthorityCertificate({ fleet: fleetName, privateKey: authorityKey }, { now, random })
  await disk.write(join(building, 'ca.crt.pem'), certificatePem(certificate))
  const authority: Authority = { fleet: fleetName, certificate, privateKey: authorityKey }

  await disk.makeFolder(join(building, 'tuf'))
  const root = rootFile({ version: 1, now, keys })
  await disk.write(join(building, 'tuf', fileNameOf('root', 1)), root.bytes)
  const rollouts = await storedObject(home, new TextEncoder().encode('{}'), disk)
  const next = firstPublication(rollouts, { now, keys, timestampLifetimeMs })
  await writePublication(join(building, 'tuf'), { before: undefined, next }, disk)

  const nodeKey = privateKeyFrom(random.bytes(seedBytes))
  const nodeCertificate = await createNodeCertificate(
    { authority, name: nodeName, publicKey: nodeKey },
    { now, random },
  )
  const identity = nodeIdentityFrom(tlsIdentityOf(nodeKey, nodeCertificate, certificate))
  await initAdmissions({ dir: building, root: identity, clock, disk })
  await saveIdentity(join(building, 'own', 'keys'), identity.tls, disk)
  const atLeast = { timestampVersion: 1, signedAt: now }
  await bootstrapTrust({ dir: join(building, 'own', 'tuf'), rootBytes: root.bytes, disk, atLeast })

  await disk.rename(building, join(home, 'fleet'))
  await settle(home, disk)
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
  let published = publicationOf(await follow(copyFrom(rootBytes), fetch, () => 0))
  const { signedAt: lastSignedAt } = published
  const records = await openAdmissionRecords({ dir, disk })
  const believedListeners: (() => void)[] = []
  const time = createAuthorityClock({
    ...{ clock, signedAt: lastSignedAt, isAlone: records.isAlone },
    onBelieved: () => {
      for (const listener of believedListeners) listener()
    },
  })
  const admissions = await openAdmissions({ authority, rootBytes, clock: time, random, records })
  const inTurn = takingTurns()
  let renewedAt = Math.min(lastSignedAt, time.now())

  const publish = async (change: Change) => {
    const now = time.now()
    const next = publicationAfter(published, change, { now, keys, timestampLifetimeMs })
    await writePublication(folder, { before: published, next }, disk)
    published = next
    renewedAt = now
  }
  const timestamp = () => {
    const expires = endOf(published.timestampFile)
    const { signedAt } = published
    // The published timestamp may be older than a setting that shortened the lifetime.
    const lifetimeMs = Math.min(expires - signedAt, timestampLifetimeMs)
    // A signed time in the future, from a clock that was wrong, does not delay the next timestamp.
    const renewAt = Math.min(signedAt, renewedAt) + Math.min(limits.timestampRenewAfterMs, lifetimeMs / 4)
    return { version: published.timestampFile.version, expires, renewAt }
  }

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
        if (isNews(published, change)) await publish(change)
      }),
    publishRelease: (bytes) =>
      inTurn(async () => {
        const change = {
          revision: await storedObject(home, bytes.revision, disk),
          rollouts: await storedObject(home, bytes.rollouts, disk),
        }
        if (isNews(published, change)) await publish(change)
      }),
    renewTimestamp: () => inTurn(() => publish({})),
    timestamp,
    file: async (name) => {
      // A timestamp is given out only once it is durable, so its version is never signed again with
      // other content.
      if (name === 'timestamp.json') return published.timestampFile.bytes
      return isMetadataFile(name) ? await fetch(name, limits.tufFileMaxBytes) : undefined
    },
    enrol: (request, root) => admissions.enrol(request, root),
    createToken: (wish) => admissions.createToken({ ...wish, timestampVersion: timestamp().version }),
    revoke: (name) => admissions.revoke(name),
  }
}

async function refuseSecond(home: string, disk: FleetDisk): Promise<void> {
  await settle(home, disk)
  if ((await disk.stat(join(home, 'fleet'))) !== undefined) {
    throw new Failure('already-exists', `${home} has a fleet already`, { hint: 'use another --home for a second one' })
  }
  for (const name of ['keys', 'tuf']) {
    if ((await disk.stat(join(home, name))) !== undefined) {
      throw new Failure('already-exists', `${home} is a node already`, { hint: 'use another --home for a root' })
    }
  }
}

/**
 * The fleet's folder appears as a whole. Then the root node's own keys and trust move out of it,
 * also after a crash.
 */
async function settle(home: string, disk: FleetDisk): Promise<void> {
  const own = join(home, 'fleet', 'own')
  if ((await disk.stat(own)) === undefined) return
  for (const name of ['keys', 'tuf']) {
    if ((await disk.stat(join(own, name))) !== undefined) await disk.rename(join(own, name), join(home, name))
  }
  await disk.remove(own)
}

async function loadAuthority(dir: string, disk: FleetDisk): Promise<Authority> {
  const pem = Buffer.from(await disk.read(join(dir, 'ca.crt.pem'))).toString('utf8')
  const certificate = new X509Certificate(pem)
  return {
    fleet: fleetOf(certificate),
    certificate: certificate.raw,
    privateKey: await loadKey(dir, 'ca', disk),
  }
}

async function loadOnlineKeys(dir: string, disk: FleetDisk): Promise<OnlineKeys> {
  const entries: [string, KeyObject][] = []
  for (const role of onlineRoles) entries.push([role, await loadKey(dir, role, disk)])
  return Object.fromEntries(entries) as unknown as OnlineKeys
}

async function loadKey(dir: string, name: string, disk: FleetDisk): Promise<KeyObject> {
  const path = keyPath(dir, name)
  return privateKeyFromPem(await readPrivate(path, disk), path)
}

function keyPath(dir: string, name: string): string {
  return join(dir, 'keys', `${name}.key.pem`)
}

/** Stores the bytes as an object, which has to exist before the metadata names it. */
async function storedObject(home: string, bytes: Uint8Array, disk: FleetDisk): Promise<TargetDigest> {
  await openObjects({ disk, dir: join(home, 'objects') }).put(bytes)
  return { sha256: hash('sha256', bytes, 'hex'), size: bytes.byteLength }
}
