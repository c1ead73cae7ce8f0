// Manifests by digest, and what a swarm needs to know of the payload of each.

import { type HoldingSpec, type Manifest, manifestFrom } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import type { Known, ObjectSource } from './object-source.ts'

/** Throws what `need` throws, and `bad-input` for a manifest that this version cannot read. */
export async function loadManifest(
  source: Pick<ObjectSource, 'need'>,
  digest: Sha256,
  known: Known = {},
): Promise<Manifest> {
  return manifestFrom(await source.need(digest, 'manifest', known), digest)
}

/**
 * Loads all of these manifests at once, by digest. Throws what `loadManifest` throws for the first
 * that fails.
 */
export async function loadManifests(
  source: Pick<ObjectSource, 'need' | 'paths'>,
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

/**
 * What the swarm needs to know of a payload, its metainfo included. Null for a payload that travels
 * as an object.
 */
export async function specOf(
  source: Pick<ObjectSource, 'need'>,
  digest: Sha256,
  manifest: Manifest,
): Promise<HoldingSpec | null> {
  const { payload, name, version } = manifest
  if (payload.via !== 'swarm') return null
  const metainfo = await source.need(payload.metainfo, `metainfo of ${name} ${version}`)
  return { manifest: digest, name, version, payload, metainfo }
}
