// What the trusted metadata of a root names: the revision and the state of its rollouts, read and
// parsed once per digest.

import { Failure } from '../model/failure.ts'
import type { Sha256 } from '../model/names.ts'
import type { Revision } from '../model/revision.ts'
import type { RolloutState } from '../model/rollouts.ts'
import type { ObjectSource } from '../objects/object-source.ts'
import { needRevision, needRollouts } from '../objects/signed-objects.ts'
import type { Trust } from '../trust/trust-store.ts'

export interface Signed {
  revision: Revision
  states: RolloutState[]
}

/** Returns a reader of what this root trusts now; null before the first release. */
export function createTrustedReader(parts: {
  trust: Pick<Trust, 'current'>
  source: Pick<ObjectSource, 'need'>
}): () => Promise<Signed | null> {
  const revisionAt = lastKept((digest) => needRevision(parts.source, digest))
  const statesAt = lastKept((digest) => needRollouts(parts.source, digest))
  return async () => {
    const trusted = parts.trust.current()
    if (trusted === undefined || trusted.revision === null) return null
    const { revision, rollouts } = trusted
    return { revision: await revisionAt(revision.sha256), states: rollouts ? await statesAt(rollouts.sha256) : [] }
  }
}

/**
 * Returns a reader of what this root signed last, for work that signs the next state on top of it:
 * on top of anything older, that work would undo the last one. The root takes in what it signed
 * first; throws `disk` while it cannot.
 */
export function createNewestReader(parts: {
  /** What this root trusts now. */
  signed: () => Promise<Signed | null>
  /** Version of the timestamp that was signed last. */
  published: () => number
  /** Version of the timestamp that this root trusts. */
  trusted: () => number | undefined
  /** Takes in what was signed. Never throws. */
  refresh: () => Promise<void>
}): () => Promise<Signed | null> {
  return async () => {
    if (parts.trusted() !== parts.published()) await parts.refresh()
    if (parts.trusted() !== parts.published()) {
      throw new Failure('disk', 'this root could not take in what it signed last', {
        hint: 'see `banyan status` for what is wrong; it tries again by itself',
        retry: 'later',
      })
    }
    return await parts.signed()
  }
}

/** Loads each digest once for as long as the same one is asked for. */
function lastKept<T>(load: (digest: Sha256) => Promise<T>): (digest: Sha256) => Promise<T> {
  let kept: { digest: Sha256; value: T } | undefined
  return async (digest) => {
    if (kept?.digest !== digest) kept = { digest, value: await load(digest) }
    return kept.value
  }
}
