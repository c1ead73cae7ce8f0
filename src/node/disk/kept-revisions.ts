// Which revisions this node keeps: the one in force and a few before it, for a rollback. What they
// name is not removed.

import * as v from 'valibot'
import { limits } from '../../model/limits.ts'
import { type Sha256, sha256Schema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { manifestsOf, revisionFrom } from '../../model/revision.ts'
import { takingTurns } from '../../work/turns.ts'
import type { Objects } from '../../world/objects.ts'
import type { Store } from '../../world/world.ts'
import type { State } from '../state/state.ts'

export interface KeptRevisions {
  /**
   * The manifests that each kept revision names, by the digest of the revision. A revision whose
   * object is gone is left out.
   */
  manifests(): Promise<Map<Sha256, ReadonlySet<Sha256>>>
}

const storeKey = 'kept-revisions'
const parseKept = parserOf(v.array(sha256Schema))

/** `onChange` is called after another revision has come into force and the new list is stored. */
export function createKeptRevisions(parts: {
  store: Pick<Store, 'get' | 'put'>
  objects: Pick<Objects, 'get'>
  state: () => Pick<State, 'revision'>
  onChange: () => void
}): KeptRevisions {
  const { store, objects, state } = parts
  // Holding and tidying ask at the same time, and the list is read, changed and written.
  const inTurn = takingTurns()
  /** The answer of the last `manifests`. */
  let known = new Map<Sha256, ReadonlySet<Sha256>>()

  /** Digests, the newest first. A revision that comes into force again moves to the front. */
  const remember = async (): Promise<Sha256[]> => {
    const before = parseKept((await store.get(storeKey)) ?? [], storeKey)
    const digest = state().revision?.digest
    if (digest === undefined || before[0] === digest) return before
    const kept = [digest, ...before.filter((each) => each !== digest)].slice(0, limits.revisionsKept)
    await store.put(storeKey, kept)
    parts.onChange()
    return kept
  }
  const manifestsIn = async (digest: Sha256): Promise<ReadonlySet<Sha256> | undefined> => {
    const bytes = await objects.get(digest)
    return bytes === undefined ? undefined : manifestsOf(revisionFrom(bytes, digest))
  }
  return {
    async manifests() {
      const { revision } = state()
      const found = new Map<Sha256, ReadonlySet<Sha256>>()
      for (const digest of await inTurn(remember)) {
        const inForce = revision?.digest === digest ? revision.named : undefined
        const manifests = inForce ?? known.get(digest) ?? (await manifestsIn(digest))
        if (manifests !== undefined) found.set(digest, manifests)
      }
      known = found
      return found
    },
  }
}
