// Which objects the trusted revision leads to. Other objects are passed on to a child that requests
// them, and not kept: otherwise an attacker above could fill this node's disk with what a node
// below requests.

import type { Failure } from '../model/failure.ts'
import { manifestFrom } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'

export interface RevisionObjects {
  has(digest: Sha256): boolean
  /** Whether the object is a manifest that the revision in force names. */
  isManifest(digest: Sha256): boolean
  /**
   * The objects that a manifest of the revision names; undefined if the manifest has not been
   * learned yet.
   */
  namedBy(manifest: Sha256): readonly Sha256[] | undefined
  /** Records which objects a manifest of the revision names. Any other object changes nothing. */
  learn(digest: Sha256, bytes: Uint8Array): void
}

export function createRevisionObjects(parts: {
  /** The objects that the trusted metadata names itself. */
  targets: () => readonly Sha256[]
  /**
   * The manifests that the revision in force names. The same set for as long as the revision stays
   * the same.
   */
  manifests: () => ReadonlySet<Sha256>
}): RevisionObjects {
  /** By manifest, so that the objects of a manifest are forgotten together with it. */
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
      const named = objectsNamedIn(digest, bytes)
      below.set(digest, named)
      for (const each of named) current().add(each)
    },
  }
}

/**
 * The digests of the objects that a manifest names: its metainfo, or the payload that travels as an
 * object.
 */
export function objectsNamedIn(manifest: Sha256, bytes: Uint8Array): Sha256[] {
  try {
    const { payload } = manifestFrom(bytes, manifest)
    return payload.via === 'swarm' ? [payload.metainfo] : [payload.sha256]
  } catch (error) {
    // A manifest of a format that this version does not know names nothing; whoever needs the
    // manifest reports it.
    if ((error as Failure).code !== 'bad-input') throw error
    return []
  }
}
