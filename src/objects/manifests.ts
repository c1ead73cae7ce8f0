// Manifests by digest, and what a swarm has to know of the payload of each.

import { type HoldingSpec, type Manifest, manifestFrom } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import type { Known, ObjectSource } from './object-source.ts'

/** Loads one manifest by its digest. */
export async function loadManifest(source: ObjectSource, digest: Sha256, known: Known = {}): Promise<Manifest> {
  return manifestFrom(await source.need(digest, 'manifest', known), digest)
}

export async function loadManifests(
  source: ObjectSource,
  digests: Iterable<Sha256>,
): Promise<ReadonlyMap<Sha256, Manifest>> {
  const paths = await source.paths()
  return new Map(
    await Promise.all(
      [...digests].map(async (digest) => {
        const isAbsent = paths(digest) === undefined
        return [digest, await loadManifest(source, digest, { isAbsent })] as const
      }),
    ),
  )
}

/** What the swarm has to know of one payload. Null for a payload that travels as an object. */
export async function specOf(source: ObjectSource, digest: Sha256, manifest: Manifest): Promise<HoldingSpec | null> {
  const { payload, name, version } = manifest
  if (payload.via !== 'swarm') return null
  const metainfo = await source.need(payload.metainfo, `metainfo of ${name} ${version}`)
  return { manifest: digest, name, version, payload, metainfo }
}
