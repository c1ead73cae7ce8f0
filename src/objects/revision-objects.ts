// Which objects the trusted revision leads to. Others are passed on to a child that asks for them and kept by nobody:
// otherwise whoever is above could fill this disk through a node below.

import type { Failure } from '../model/failure.ts'
import { manifestFrom } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'

export interface Named {
  has(digest: Sha256): boolean
  /** Whether this is a manifest that the revision in force names; */
  isManifest(digest: Sha256): boolean
  /** and what it names, if that has been learned. */
  namedBy(manifest: Sha256): readonly Sha256[] | undefined
  /** Takes in what a manifest of the revision names in turn; anything else teaches nothing. */
  learn(digest: Sha256, bytes: Uint8Array): void
}

export function namedObjects(parts: {
  /** The targets of the trusted metadata. */
  targets: () => readonly Sha256[]
  /** The manifests that the revision in force names. */
  manifests: () => ReadonlySet<Sha256>
}): Named {
  /** By manifest, so that what a revision no longer names is forgotten with it. */
  const below = new Map<Sha256, readonly Sha256[]>()
  let of: ReadonlySet<Sha256> | undefined
  let digests = new Set<Sha256>()
  const current = () => {
    const manifests = parts.manifests()
    if (manifests === of) return digests
    of = manifests
    for (const manifest of below.keys()) if (!manifests.has(manifest)) below.delete(manifest)
    digests = new Set([...manifests, ...[...below.values()].flat()])
    return digests
  }
  return {
    has: (digest) => current().has(digest) || parts.targets().includes(digest),
    isManifest: (digest) => parts.manifests().has(digest),
    namedBy: (manifest) => below.get(manifest),
    learn(digest, bytes) {
      if (!parts.manifests().has(digest) || below.has(digest)) return
      const names = namesIn(digest, bytes)
      below.set(digest, names)
      for (const name of names) current().add(name)
    },
  }
}

/** What a manifest names in turn. */
export function namesIn(digest: Sha256, bytes: Uint8Array): Sha256[] {
  try {
    const { payload } = manifestFrom(bytes, digest)
    return payload.via === 'swarm' ? [payload.metainfo] : [payload.sha256]
  } catch (error) {
    // A manifest of a format that is not known here names nothing; who needs it says so.
    if ((error as Failure).code !== 'bad-input') throw error
    return []
  }
}
