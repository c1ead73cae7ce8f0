// Brings back to a root that was restored from an older copy what its fleet has of later releases:
// the newest revision, the packages that it names, and their payloads, all from the children.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Manifest, manifestFrom } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import { buildsOf, type Revision } from '../model/revision.ts'
import type { ObjectSource } from '../objects/object-source.ts'
import { objectsNamedIn } from '../objects/revision-objects.ts'
import { needRevision } from '../objects/signed-objects.ts'
import type { Repository } from '../repository/repository.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Fleet } from '../trust/fleet.ts'
import { createLanes } from '../work/lanes.ts'
import type { Objects } from '../world/objects.ts'
import type { Log } from '../world/world.ts'
import { seed } from './seeding.ts'

export interface RecoveringParts {
  fleet: Pick<Fleet, 'recover' | 'numberFloor' | 'timestamp' | 'renewTimestamp'>
  /** Shared with everything that signs. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
  source: Pick<ObjectSource, 'need'>
  objects: Pick<Objects, 'get'>
  /** Asks the children for an object; undefined if none sends it. */
  lost: { fetch(digest: Sha256): Promise<Uint8Array | undefined> }
  repository: Pick<Repository, 'adopt'>
  swarm: Pick<Swarm, 'adopt'>
  trustedRevision: () => Sha256 | undefined
  /** The root takes in its own metadata like any other node. */
  refresh: () => Promise<void>
  log: Log
}

export interface Recovered {
  /** Version of the metadata that the fleet trusts, and what this root had signed. */
  version: number
  signed: number
  /** The newest revision, if children have sent the metadata that leads to it. */
  revision: number | null
  /** Builds that are published here again: `name version`. */
  takenBack: string[]
  /** Builds that no child has sent, and why others could not be taken back. */
  missing: string[]
}

/**
 * Null if this root is not behind its fleet. A second call fetches what the first did not get.
 * Children are waited for outside of the turn of what signs.
 */
export async function recover(parts: RecoveringParts): Promise<Recovered | null> {
  const { fleet } = parts
  const ahead = await parts.inTurn(fleet.recover)
  const { version } = fleet.timestamp()
  const versions = ahead === null ? { version, signed: version } : { version: ahead.version, signed: ahead.signed }
  const nothing: Recovered = { ...versions, revision: null, takenBack: [], missing: [] }
  if (ahead !== null && ahead.isProven !== true) return nothing
  if (ahead === null && fleet.numberFloor() === 0) return null
  // What the children sent may have ended meanwhile.
  if (ahead !== null) await parts.inTurn(fleet.renewTimestamp)
  await parts.refresh()
  const digest = parts.trustedRevision()
  if (digest === undefined) return ahead && nothing
  const revision = await needRevision(parts.source, digest)
  const found = await takeBackAll(parts, revision)
  if (ahead === null && found.takenBack.length + found.missing.length === 0) return null
  return { ...versions, revision: revision.number, ...found }
}

async function takeBackAll(
  parts: RecoveringParts,
  revision: Revision,
): Promise<Pick<Recovered, 'takenBack' | 'missing'>> {
  const builds = new Map(buildsOf(revision).map(({ name, build }) => [build.manifest, `${name} ${build.version}`]))
  const [takenBack, missing]: [string[], string[]] = [[], []]
  const lanes = createLanes(limits.lostBuildsAtOnce)
  const takeOne = async (manifest: Sha256, shown: string) => {
    try {
      if (await takeBack(parts, manifest)) takenBack.push(shown)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      missing.push(`${shown}: ${error.message}`)
    }
  }
  const always = { first: false, isNeeded: () => true }
  await Promise.all([...builds].map(([manifest, shown]) => lanes.run(() => takeOne(manifest, shown), always)))
  return { takenBack: takenBack.sort(), missing: missing.sort() }
}

/** Whether the build was not known here. */
async function takeBack(parts: RecoveringParts, digest: Sha256): Promise<boolean> {
  const bytes = await stored(parts, digest)
  const manifest: Manifest = manifestFrom(bytes, digest)
  for (const named of objectsNamedIn(digest, bytes)) await stored(parts, named)
  const isNew = await parts.repository.adopt(digest, manifest)
  // Also of a known build: an earlier call may have ended between the two.
  await seed(parts, digest, manifest)
  return isNew
}

/** The object, which is stored here by then. Throws `not-found` if no child has it. */
async function stored({ objects, lost }: RecoveringParts, digest: Sha256): Promise<Uint8Array> {
  const here = await objects.get(digest)
  if (here !== undefined) return here
  const bytes = await lost.fetch(digest)
  if (bytes === undefined) throw new Failure('not-found', `no child has sent object ${digest}`, { retry: 'later' })
  return bytes
}
