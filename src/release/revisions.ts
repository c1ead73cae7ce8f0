// The revisions that a root released. Each names the one before it by digest, so a revision can be
// found for as long as the objects of all later ones are kept.

import { Failure } from '../model/failure.ts'
import type { Sha256 } from '../model/names.ts'
import type { Revision } from '../model/revision.ts'
import type { ObjectSource } from '../objects/object-source.ts'
import { needRevision } from '../objects/signed-objects.ts'

export interface Revisions {
  /** The newest revision; null before the first release. */
  newest(): Promise<{ digest: Sha256; body: Revision } | null>
  /** Throws `not-found` for a number that was never released, or whose object is gone. */
  find(number: number): Promise<Revision>
  /** The newest `max` revisions, newest first. */
  list(max: number): Promise<Revision[]>
}

export function createRevisions(parts: {
  source: Pick<ObjectSource, 'need'>
  trustedRevision: () => Sha256 | undefined
}): Revisions {
  const load = (digest: Sha256) => needRevision(parts.source, digest)
  /** A root that was restored from an older copy may lack revisions between that and the newest. */
  const loadIfThere = async (digest: Sha256) => {
    try {
      return await load(digest)
    } catch (error) {
      if (error instanceof Failure && error.code === 'not-found' && digest !== parts.trustedRevision()) return undefined
      throw error
    }
  }

  async function* fromNewest(): AsyncIterable<Revision> {
    for (let digest = parts.trustedRevision(); digest !== undefined; ) {
      const revision: Revision | undefined = await loadIfThere(digest)
      if (revision === undefined) return
      yield revision
      digest = revision.previous
    }
  }

  return {
    async newest() {
      const digest = parts.trustedRevision()
      return digest === undefined ? null : { digest, body: await load(digest) }
    },

    async find(number) {
      let newest: number | undefined
      for await (const revision of fromNewest()) {
        newest ??= revision.number
        if (revision.number === number) return revision
        if (revision.number < number) break
      }
      const hint = newest === undefined ? 'nothing is released yet' : 'banyan history lists what there is'
      throw new Failure('not-found', `there is no revision ${number}`, { hint })
    },

    async list(max) {
      const found: Revision[] = []
      for await (const revision of fromNewest()) {
        found.push(revision)
        if (found.length >= max) break
      }
      return found
    },
  }
}
