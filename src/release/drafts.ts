// The next revision before it is checked and signed: compiled from the policy, or an earlier
// revision again.

import { isDeepStrictEqual } from 'node:util'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { PackageName } from '../model/names.ts'
import { own } from '../model/packages/records.ts'
import { manifestsOf, type PresentWanted, type Revision, type Wanted } from '../model/revision.ts'
import type { RolloutState } from '../model/rollouts.ts'
import type { Compiled } from '../repository/policy.ts'
import type { Repository } from '../repository/repository.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { Clock, Disk } from '../world/world.ts'
import type { Revisions } from './revisions.ts'
import { revisionAtOnce, revisionRollingOut, statesUnder } from './rollouts/rollout-release.ts'
import type { Signed } from './signed-revision.ts'

export interface Draft {
  /** The newest revision that is signed; null before the first release. */
  last: Revision | null
  revision: Revision
  /** The states of its rollouts. */
  states: RolloutState[]
  /**
   * The base lists to check dependencies against; null for a rollback, which was checked when it
   * was first released.
   */
  base: Compiled['base'] | null
  warnings: string[]
}

export interface DraftParts {
  repository: Pick<Repository, 'compile' | 'holdings'>
  revisions: Revisions
  disk: Pick<Disk, 'read'>
  clock: Pick<Clock, 'now'>
  policyFile: string
  fleet: Pick<Fleet, 'numberFloor'>
  /** What was signed last; null before the first release. */
  signed: () => Promise<Signed | null>
}

/**
 * The present policy as the next revision. Throws `bad-input` for a policy that does not compile.
 */
export async function draftOfPolicy(parts: DraftParts, message: string): Promise<Draft> {
  const text = await parts.disk.read(parts.policyFile, { maxBytes: limits.policyMaxBytes })
  const last = await parts.revisions.newest()
  const number = numberAfter(last?.body.number ?? 0, parts)
  const options = { file: parts.policyFile, number, released: parts.clock.now(), message }
  const { revision: compiled, base, warnings } = await parts.repository.compile(text, options)
  if (last?.body.rollbackTo !== undefined) {
    const what = `revision ${last.body.number} was a rollback to revision ${last.body.rollbackTo}`
    warnings.unshift(`${what}; this puts ${parts.policyFile} in force again`)
  }
  const before = (await parts.signed())?.states ?? []
  const linked = { ...compiled, ...(last && { previous: last.digest }) }
  const revision = revisionRollingOut(linked, last?.body ?? null, before)
  const states = statesUnder(revision, before, parts.clock.now())
  return { last: last?.body ?? null, revision, states, base, warnings }
}

/**
 * An earlier revision as the next one, without waves: what went wrong ends on all nodes at once.
 * Throws `conflict` for the newest revision, and `not-found` for a revision that is gone or
 * names something that is no longer published.
 */
export async function draftOfRollback(parts: DraftParts, number: number, message: string): Promise<Draft> {
  const last = await parts.revisions.newest()
  const earlier = await parts.revisions.find(number)
  if (last === null || last.body.number === number) {
    throw new Failure('conflict', `revision ${number} is the newest already`, { hint: 'see banyan history' })
  }
  const published = new Set((await parts.repository.holdings()).map(({ manifest }) => manifest))
  const gone = [...manifestsOf(revisionAtOnce(earlier))].find((manifest) => !published.has(manifest))
  if (gone !== undefined) throw new Failure('not-found', `revision ${number} needs what is not published any more`)
  const revision: Revision = {
    ...exactWhereOther(revisionAtOnce(earlier), last.body),
    number: numberAfter(last.body.number, parts),
    released: parts.clock.now(),
    message: message || `rollback to revision ${number}`,
    previous: last.digest,
    rollbackTo: number,
  }
  const warning = `${parts.policyFile} is left as it is and differs from this now; the next release puts it in force again`
  return { last: last.body, revision, states: [], base: null, warnings: [warning] }
}

/**
 * What a rollback takes back is newer than what it restores, and has to go: packages that the last
 * revision wanted in other builds are wanted exactly.
 */
function exactWhereOther(earlier: Revision, last: Revision): Revision {
  const isSame = (name: PackageName, { builds, targets }: PresentWanted) =>
    last.rules.some(({ packages }) => {
      const now = own(packages, name)
      return now?.state === 'present' && isDeepStrictEqual([now.builds, now.targets], [builds, targets])
    })
  const exactOf = (name: PackageName, wanted: Wanted): Wanted => {
    if (wanted.state === 'absent' || isSame(name, wanted)) return wanted
    const { orNewer: _, least: __, ...exact } = wanted
    return exact
  }
  const rules = earlier.rules.map(({ packages, ...rule }) => {
    const wanted = Object.entries(packages).map(([name, each]) => [name, exactOf(name, each)] as const)
    return { ...rule, packages: Object.fromEntries(wanted) }
  })
  return { ...earlier, rules }
}

/** A revision has the version of a timestamp at most, so it is above all that the fleet has seen. */
function numberAfter(last: number, { fleet }: Pick<DraftParts, 'fleet'>): number {
  return Math.max(last, fleet.numberFloor()) + 1
}
