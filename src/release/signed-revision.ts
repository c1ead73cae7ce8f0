// What the trusted metadata of a root names, read and parsed once for each digest.

import { Failure } from '../model/failure.ts'
import type { Sha256 } from '../model/names.ts'
import type { Revision } from '../model/revision.ts'
import type { RolloutState } from '../model/rollouts.ts'
import type { ObjectSource } from '../objects/object-source.ts'
import { loadRevision, loadRollouts } from '../objects/signed-objects.ts'
import type { Trust } from '../trust/trust-store.ts'

export interface Signed {
  revision: Revision
  states: RolloutState[]
}

/** Null before the first release. */
export function signedNow(parts: { trust: Pick<Trust, 'current'>; source: Pick<ObjectSource, 'need'> }) {
  const revisionAt = keptLast((digest) => loadRevision(parts.source, digest))
  const statesAt = keptLast((digest) => loadRollouts(parts.source, digest))
  return async (): Promise<Signed | null> => {
    const trusted = parts.trust.current()
    if (trusted === undefined || trusted.revision === null) return null
    const { revision, rollouts } = trusted
    return { revision: await revisionAt(revision.sha256), states: rollouts ? await statesAt(rollouts.sha256) : [] }
  }
}

/**
 * For who goes on from there and signs: what was signed last, also where this root could not take it in at once. Whoever
 * went on from what was before would undo it. Throws `disk` as long as it cannot be taken in.
 */
export function signedLast(parts: {
  signed: () => Promise<Signed | null>
  /** Versions of the timestamp. */
  published: () => number
  trusted: () => number | undefined
  /** Never throws. */
  refresh: () => Promise<void>
}) {
  return async (): Promise<Signed | null> => {
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

function keptLast<T>(load: (digest: Sha256) => Promise<T>): (digest: Sha256) => Promise<T> {
  let kept: { digest: Sha256; value: T } | undefined
  return async (digest) => {
    if (kept?.digest !== digest) kept = { digest, value: await load(digest) }
    return kept.value
  }
}
