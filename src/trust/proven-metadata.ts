// Newer metadata of the fleet than a restored root has signed, as its children send it: what is signed
// with the fleet's own keys is proof, whoever sends it.

import { BoundedMap } from '../model/bounded-map.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { MetadataFiles } from '../model/wire/lost.ts'
import type { Clock } from '../world/world.ts'
import { copyFrom, follow, type Verified } from './tuf-client.ts'

export interface ProvenMetadata {
  /** Whether to ask this child for the metadata that it trusts. */
  isWantedOf(node: NodeName): boolean
  /** The child has been asked, and is left alone for a while. */
  asked(node: NodeName): void
  /** Throws `untrusted` for what does not hold. */
  take(files: MetadataFiles): Promise<void>
  /** Null unless something newer than what is signed here was proven. */
  newest(): Verified | null
}

export function createProvenMetadata(parts: {
  rootBytes: Uint8Array
  clock: Pick<Clock, 'monotonicMs'>
  /** The version of the timestamp that is signed here. */
  signed: () => number
  /** The version that a child trusts, as it said last; 0 for one that has not called. */
  heardOf: (node: NodeName) => number
}): ProvenMetadata {
  const { rootBytes, signed, clock } = parts
  const askedAtMs = new BoundedMap<NodeName, number>(limits.clockVoicesMax)
  let newest: Verified | null = null
  const newestVersion = () => Math.max(signed(), newest?.versions.timestamp ?? 0)
  return {
    isWantedOf(node) {
      const asked = askedAtMs.get(node)
      const isRested = asked === undefined || clock.monotonicMs() - asked >= limits.metadataAskedEveryMs
      return isRested && parts.heardOf(node) > newestVersion()
    },
    asked: (node) => void askedAtMs.set(node, clock.monotonicMs()),
    async take(files) {
      const texts = new Map(Object.entries(files))
      const bytesOf = (text: string | undefined) => (text === undefined ? undefined : new TextEncoder().encode(text))
      // Expiry is left aside: the root signs anew what has expired.
      const verified = await follow(
        copyFrom(rootBytes),
        async (name) => bytesOf(texts.get(name)),
        () => 0,
      )
      if (verified.rollouts === null || verified.versions.root !== onlyRootVersion) {
        throw new Failure('untrusted', 'the metadata is of another root')
      }
      if (verified.versions.timestamp > newestVersion()) newest = verified
    },
    newest: () => (newest !== null && newest.versions.timestamp > signed() ? newest : null),
  }
}

/** A fleet has one root so far: its keys are never exchanged. */
const onlyRootVersion = 1
