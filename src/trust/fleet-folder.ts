// The files of a root's fleet folder, which is laid out as fleet.ts says.

import { hash, type KeyObject, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import * as v from 'valibot'
import { countSchema } from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import { openObjects } from '../world/objects.ts'
import { readIfThere } from '../world/read-if-there.ts'
import type { Disk } from '../world/world.ts'
import { type Authority, fleetOf } from './certificates.ts'
import { readPrivate } from './identity.ts'
import { privateKeyFromPem } from './keys.ts'
import type { TargetDigest } from './metadata.ts'
import type { OnlineKeys } from './metadata-signing.ts'

export type FleetDisk = Pick<Disk, 'read' | 'write' | 'writeAll' | 'list' | 'stat' | 'makeFolder' | 'remove' | 'rename'>

const onlineRoles = ['targets', 'snapshot', 'timestamp', 'rollouts'] as const

/**
 * The fleet's folder appears as a whole. Then the root node's own keys and trust move out of it,
 * also after a crash.
 */
export async function settle(home: string, disk: FleetDisk): Promise<void> {
  const own = join(home, 'fleet', 'own')
  if ((await disk.stat(own)) === undefined) return
  for (const name of ['keys', 'tuf']) {
    if ((await disk.stat(join(own, name))) !== undefined) await disk.rename(join(own, name), join(home, name))
  }
  await disk.remove(own)
}

export async function loadAuthority(dir: string, disk: FleetDisk): Promise<Authority> {
  const pem = Buffer.from(await disk.read(join(dir, 'ca.crt.pem'))).toString('utf8')
  const certificate = new X509Certificate(pem)
  return {
    fleet: fleetOf(certificate),
    certificate: certificate.raw,
    privateKey: await loadKey(dir, 'ca', disk),
  }
}

export async function loadOnlineKeys(dir: string, disk: FleetDisk): Promise<OnlineKeys> {
  const entries: [string, KeyObject][] = []
  for (const role of onlineRoles) entries.push([role, await loadKey(dir, role, disk)])
  return Object.fromEntries(entries) as unknown as OnlineKeys
}

async function loadKey(dir: string, name: string, disk: FleetDisk): Promise<KeyObject> {
  const path = keyPath(dir, name)
  return privateKeyFromPem(await readPrivate(path, disk), path)
}

export function keyPath(dir: string, name: string): string {
  return join(dir, 'keys', `${name}.key.pem`)
}

/** Stores the bytes as an object, which has to exist before the metadata names it. */
export async function storedObject(home: string, bytes: Uint8Array, disk: FleetDisk): Promise<TargetDigest> {
  await openObjects({ disk, dir: join(home, 'objects') }).put(bytes)
  return { sha256: hash('sha256', bytes, 'hex'), size: bytes.byteLength }
}

const floorFile = 'recovered.json'
const parseFloor = parserOf(v.strictObject({ above: countSchema }))

/** The version that a recovered root goes on above; 0 for a root that was never restored. */
export async function readFloor(dir: string, disk: FleetDisk): Promise<number> {
  const path = join(dir, floorFile)
  const bytes = await readIfThere(disk, path)
  return bytes === undefined ? 0 : parseFloor(parseJson(bytes, path), path).above
}

export async function writeFloor(dir: string, above: number, disk: FleetDisk): Promise<void> {
  await disk.write(join(dir, floorFile), JSON.stringify({ above }))
}
