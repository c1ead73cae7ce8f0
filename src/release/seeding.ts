// Hands published payloads to the root's swarm, which seeds them.

import { Failure } from '../model/failure.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import { specOf } from '../objects/manifests.ts'
import type { ObjectSource } from '../objects/object-source.ts'
import type { Repository } from '../repository/repository.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Log } from '../world/world.ts'

type Published = Awaited<ReturnType<Repository['holdings']>>[number]

export interface SeedingParts {
  swarm: Pick<Swarm, 'adopt' | 'scrubbed'>
  source: Pick<ObjectSource, 'need'>
  repository: Pick<Repository, 'holdings'>
  log: Log
}

/** Seeds one published payload; a payload that travels as an object needs no seed. */
export async function seed(
  parts: { swarm: Pick<Swarm, 'adopt'>; source: SeedingParts['source'] },
  digest: Sha256,
  manifest: Manifest,
): Promise<void> {
  const spec = await specOf(parts.source, digest, manifest)
  if (spec !== null) await parts.swarm.adopt(spec)
}

/**
 * Seeds everything published, also what an interrupted publish stored and did not seed. A lost
 * payload stops no other. Returns what could not be seeded.
 */
export async function seedPublished(parts: SeedingParts, holdings: readonly Published[]): Promise<Published[]> {
  const unseeded: Published[] = []
  for (const published of holdings) {
    const { manifest, manifestBody } = published
    try {
      await seed(parts, manifest, manifestBody)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const { name, version } = manifestBody
      parts.log.error('package cannot be given out, publish it again', { name, version, error: error.message })
      unseeded.push(published)
    }
  }
  return unseeded
}

/** What this root cannot give out whole just now, in sentences for a person. */
export function damageWarnings({ swarm }: Pick<SeedingParts, 'swarm'>): string[] {
  return swarm.scrubbed().mending.map(({ name, version, missing }) => {
    const pieces = missing === 1 ? '1 piece' : `${missing} pieces`
    return `${name} ${version}: the disk of this root has damaged ${pieces}, which its children are asked for`
  })
}
