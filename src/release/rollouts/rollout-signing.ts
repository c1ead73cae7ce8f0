// The one place that changes the signed state of rollouts: reads what the nodes report, applies a
// change, signs the result.

import { Failure } from '../../model/failure.ts'
import { own } from '../../model/packages/records.ts'
import { type RolloutState, rolloutNameOf, rolloutsBytes } from '../../model/rollouts.ts'
import type { Fleet } from '../../trust/fleet.ts'
import type { Log } from '../../world/world.ts'
import type { Signed } from '../signed-revision.ts'
import type { NodeStandings } from './node-standings.ts'
import type { ProgressStore } from './rollout-progress.ts'
import type { RolloutChange } from './rollout-waves.ts'

export interface RolloutSigningParts {
  log: Log
  standings: NodeStandings
  progress: ProgressStore
  fleet: Pick<Fleet, 'publishRollouts'>
  /** See `createNewestReader`; null before the first release. */
  signed: () => Promise<Signed | null>
  /** The root takes in what it signed. */
  refresh: () => Promise<void>
  /** Shared with releases: two at once would sign over each other. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
}

/**
 * Applies the change to the rollout that `only` names, or to every rollout. Resolves once the new
 * states are signed.
 */
export type SignRollouts = (
  change: RolloutChange,
  only?: (signed: Signed) => string,
) => Promise<{ name: string | undefined; signed: Signed }>

export function createRolloutSigning(parts: RolloutSigningParts): SignRollouts {
  const { fleet, progress, standings } = parts

  const changed = async (change: RolloutChange, state: RolloutState, { revision }: Signed): Promise<RolloutState> => {
    const name = rolloutNameOf(state)
    const rollout = own(revision.rollouts, state.rollout)
    if (rollout === undefined) return state
    const before = await progress.of(name)
    const after = change({ state, progress: before, rollout, standings: standings.in(name) })
    // A node obeys the signed state alone; the progress is for this root, to go on after a restart.
    await progress.save(name, before, after.progress)
    logChange(parts.log, state, after.state)
    return after.state
  }
  return (change, only) =>
    parts.inTurn(async () => {
      const signed = await parts.signed()
      if (signed === null) throw new Failure('not-found', 'nothing is released yet', { hint: 'banyan release' })
      await standings.update(signed)
      const name = only?.(signed)
      const states: RolloutState[] = []
      for (const state of signed.states) {
        const isMeant = name === undefined || name === rolloutNameOf(state)
        states.push(isMeant ? await changed(change, state, signed) : state)
      }
      const bytes = rolloutsBytes(states)
      if (Buffer.compare(bytes, rolloutsBytes(signed.states)) !== 0) {
        await fleet.publishRollouts(bytes)
        await parts.refresh()
      }
      await progress.keepOnly(new Set(states.map(rolloutNameOf)))
      return { name, signed: { ...signed, states } }
    })
}

function logChange(log: Log, before: RolloutState, after: RolloutState): void {
  const rollout = rolloutNameOf(after)
  if (after.open !== before.open) log.info('wave opened', { rollout, wave: after.open })
  if (after.halted !== undefined && before.halted === undefined) {
    log.warn('rollout halted', { rollout, because: after.halted })
  }
}
