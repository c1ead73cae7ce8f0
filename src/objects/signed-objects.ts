// The objects that the signed metadata names itself: the revision, and the state of its rollouts.

import type { Sha256 } from '../model/names.ts'
import { parseJson } from '../model/parse.ts'
import { type Revision, revisionFrom } from '../model/revision.ts'
import { parseRollouts, type RolloutState } from '../model/rollouts.ts'
import type { ObjectSource } from './object-source.ts'

/** Throws what `need` throws, and `bad-input` for a revision that this version cannot read. */
export async function needRevision(source: Pick<ObjectSource, 'need'>, digest: Sha256): Promise<Revision> {
  return revisionFrom(await source.need(digest, 'revision'), digest)
}

/**
 * Throws what `need` throws, and `bad-input` for a state of rollouts that this version cannot read.
 */
export async function needRollouts(source: Pick<ObjectSource, 'need'>, digest: Sha256): Promise<RolloutState[]> {
  return parseRollouts(parseJson(await source.need(digest, 'rollouts'), 'rollouts'), 'rollouts')
}
