// Which payloads have to be on this node, and what the swarm must know to get them.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Manifest, parseManifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import { parseJson } from '../model/parse.ts'
import { differencesToFetch } from '../reconcile/plan.ts'
import type { HoldingSpec } from '../swarm/holding.ts'
import type { WantedSwarm } from './events.ts'
import type { Known, ObjectSource } from './object-source.ts'
import type { State } from './state.ts'

/**
 * The manifests whose payload this node needs for its own machine: those of packages to be put there. What waits for a
 * maintenance window is fetched at once, so that the window is spent on applying it. Pure.
 */
export function ownPayloadsWanted(state: Pick<State, 'seen' | 'manifests'>): Map<Sha256, Manifest> {
  const wanted = new Map<Sha256, Manifest>()
  for (const difference of state.seen === null ? [] : differencesToFetch(state.seen)) {
    if (difference.manifest === null) continue
    const manifest = state.manifests?.get(difference.manifest)
    if (manifest !== undefined) wanted.set(difference.manifest, manifest)
  }
  return wanted
}

/** Loads one manifest by its digest. */
export async function loadManifest(source: ObjectSource, digest: Sha256, known: Known = {}): Promise<Manifest> {
  const bytes = await source.need(digest, 'manifest', known)
  return parseManifest(parseJson(bytes, `manifest ${digest}`, limits.manifestMarksMax), `manifest ${digest}`)
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

/** The spec of what a child announced. The child named both; they must belong together. */
export async function specOfWanted(source: ObjectSource, wanted: WantedSwarm): Promise<HoldingSpec> {
  const spec = await specOf(source, wanted.manifest, await loadManifest(source, wanted.manifest))
  if (spec?.payload.infoHash !== wanted.infoHash) {
    throw new Failure('bad-input', `manifest ${wanted.manifest} is not of swarm ${wanted.infoHash}`)
  }
  return spec
}
