// Which payloads have to be on this node, and what the swarm must know to get them.

import { Failure } from '../../model/failure.ts'
import type { HoldingSpec, Manifest } from '../../model/manifest.ts'
import type { Sha256 } from '../../model/names.ts'
import { loadManifest, specOf } from '../../objects/manifests.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import { differencesToFetch } from '../../reconcile/plan.ts'

import type { State, WantedSwarm } from '../state/state.ts'

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

/** The spec of what a child announced. The child named both; they must belong together. */
export async function specOfWanted(source: ObjectSource, wanted: WantedSwarm): Promise<HoldingSpec> {
  const spec = await specOf(source, wanted.manifest, await loadManifest(source, wanted.manifest))
  if (spec?.payload.infoHash !== wanted.infoHash) {
    throw new Failure('bad-input', `manifest ${wanted.manifest} is not of swarm ${wanted.infoHash}`)
  }
  return spec
}
