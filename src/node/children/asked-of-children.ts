// What a root asks its children for: objects that it has lost, and newer metadata than it has signed.

import type { NodeName } from '../../model/names.ts'
import type { Lost, MetadataFiles } from '../../model/wire/lost.ts'
import type { Fleet } from '../../trust/fleet.ts'
import type { LostObjects } from './lost-objects.ts'

export interface AskedOfChildren {
  /** Whether this child is asked for anything. */
  isAsked(node: NodeName): boolean
  /** Whether that is only this child's: then it learns at once that it is asked. */
  isWantedOf(node: NodeName): boolean
  askedNow(node: NodeName): Lost
  /** Whether the object was asked for of this child. */
  takeObject(node: NodeName, bytes: Uint8Array): Promise<boolean>
  /** Throws `untrusted` for metadata that does not hold. */
  takeMetadata(files: MetadataFiles): Promise<void>
  /** Whether a child has reason to send an object. */
  isAnyLost(): boolean
}

export function askedOfChildren(lost: LostObjects, metadata: Fleet['metadata']): AskedOfChildren {
  return {
    isAsked: (node) => lost.any() || metadata.isWantedOf(node),
    isWantedOf: metadata.isWantedOf,
    askedNow(node) {
      const isWanted = metadata.isWantedOf(node)
      if (isWanted) metadata.asked(node)
      return { objects: lost.askNow(node), metadata: isWanted }
    },
    takeObject: lost.take,
    takeMetadata: metadata.take,
    isAnyLost: lost.any,
  }
}
