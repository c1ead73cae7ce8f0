// Which payloads have to be on this node, where they lie, and what the swarm must know to get them.

import { Failure } from '../../model/failure.ts'
import type { HoldingSpec, Manifest } from '../../model/manifest.ts'
import type { Sha256 } from '../../model/names.ts'
import { loadManifest, specOf } from '../../objects/manifests.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import { differencesToFetch } from '../../reconcile/plan.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import type { State, WantedSwarm } from '../state/state.ts'

/**
 * The manifests, by digest, of the packages that this machine is to get. The payload of a package
 * that waits for a maintenance window is fetched at once, so that the window is spent on applying
 * it. Pure.
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

/**
 * Finds the path of a payload, undefined if it is not here whole. The folder of small payloads is
 * listed once, at the first question about one of them; so make a new finder for each round of
 * questions.
 */
export function payloadPaths(parts: {
  swarm: Pick<Swarm, 'payloadPath'>
  source: Pick<ObjectSource, 'paths'>
}): (manifest: Manifest) => Promise<string | undefined> {
  let paths: ReturnType<ObjectSource['paths']> | undefined
  return async ({ payload }) => {
    if (payload.via === 'swarm') return parts.swarm.payloadPath(payload.sha256)
    paths ??= parts.source.paths()
    return (await paths)(payload.sha256)
  }
}

/**
 * The spec of a swarm that a child announced. Throws `bad-input` if the manifest that the child
 * named is not of that swarm, and whatever loading the manifest throws.
 */
export async function specOfWanted(source: ObjectSource, wanted: WantedSwarm): Promise<HoldingSpec> {
  const spec = await specOf(source, wanted.manifest, await loadManifest(source, wanted.manifest))
  if (spec?.payload.infoHash !== wanted.infoHash) {
    throw new Failure('bad-input', `manifest ${wanted.manifest} is not of swarm ${wanted.infoHash}`)
  }
  return spec
}
