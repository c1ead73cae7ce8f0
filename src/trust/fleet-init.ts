// Root only: creates a fleet and its root node.

import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type NodeName, nodeNameSchema, wordSchema } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import type { Clock, Random } from '../world/world.ts'
import { initAdmissions } from './admission/admission-records.ts'
import { type Authority, createAuthorityCertificate, createNodeCertificate } from './certificates.ts'
import { type FleetDisk, keyPath, settle, storedObject } from './fleet-folder.ts'
import { nodeIdentityFrom, saveIdentity, tlsIdentityOf } from './identity.ts'
import { certificatePem, privateKeyFrom, privateKeyPem, seedBytes } from './keys.ts'
import { fileNameOf } from './metadata.ts'
import { rootFile } from './metadata-signing.ts'
import { firstPublication, writePublication } from './publications.ts'
import { bootstrapTrust } from './trust-store.ts'

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
