// Records what each finished apply did: package records and restarts. The apply is marked as
// recorded only after that is durable, so a crash in between makes the next daemon record the same
// result again.

import { messageOf } from '../../model/failure.ts'
import type { EndedApply } from '../../reconcile/apply/ended-apply.ts'
import type { LocalMachine } from '../../reconcile/machine.ts'
import { recordsAfter } from '../../reconcile/records.ts'
import { restartsAfter } from '../../reconcile/restarts.ts'
import type { Clock, Log, Store } from '../../world/world.ts'
import type { Event } from '../state/events.ts'
import { momentOf, restartsKey } from '../state/remembered.ts'
import type { State } from '../state/state.ts'

export interface AppliedOutcomes {
  /**
   * Stores the results and dispatches `applied` for each apply. Throws if they cannot be stored;
   * they are then kept in memory and stored before the results of every later apply.
   */
  record(ended: readonly EndedApply[]): Promise<void>
  /** Tries again to store the results that `record` could not store. Throws as `record` does. */
  recordRest(): Promise<void>
  /**
   * Records the applies of a former daemon and then dispatches `earlier-finished`. No other apply
   * starts before that.
   */
  finishEarlier(): Promise<void>
}

export function createAppliedOutcomes(parts: {
  machine: Pick<LocalMachine, 'finishEarlier' | 'stored'>
  store: Pick<Store, 'batch'>
  clock: Clock
  log: Log
  state: () => Pick<State, 'records' | 'restarts'>
  dispatch: (event: Event) => void
}): AppliedOutcomes {
  const { machine, store, clock, log, dispatch } = parts
  /** Not stored yet, the oldest first: of two applies of one package the later result holds. */
  let rest: readonly EndedApply[] = []
  /**
   * Stored and not marked yet. An unmarked apply comes again, and after a later one it would undo
   * that one's result.
   */
  let unmarked: readonly string[] = []

  const mark = async (txids: readonly string[]) => {
    unmarked = [...unmarked, ...txids]
    try {
      await machine.stored(unmarked)
      unmarked = []
    } catch (error) {
      // The results are stored all the same. These applies are marked together with the next one.
      log.warn('apply not marked as taken in', { error: messageOf(error) })
    }
  }
  const recordRest = async () => {
    if (rest.length === 0) return
    const recording = rest
    let { records, restarts } = parts.state()
    for (const { plan, outcomes, restarts: results } of recording) {
      records = recordsAfter(records, plan, outcomes)
      restarts = restartsAfter(restarts, { planned: plan.restarts ?? [], outcomes, results, now: clock.now() })
    }
    await store.batch([
      { kind: 'put', key: 'records', value: records },
      { kind: 'put', key: restartsKey, value: restarts },
    ])
    rest = rest.slice(recording.length)
    await mark(recording.map(({ txid }) => txid))
    for (const { plan, outcomes, damaged, output } of recording) {
      const moment = momentOf(clock)
      dispatch({ kind: 'applied', plan, outcomes, damaged, output, records, restarts: [...restarts], moment })
    }
  }
  const record = async (ended: readonly EndedApply[]) => {
    rest = [...rest, ...ended]
    await recordRest()
  }
  return {
    record,
    recordRest,
    async finishEarlier() {
      try {
        await record(await machine.finishEarlier())
      } finally {
        dispatch({ kind: 'earlier-finished' })
      }
    },
  }
}
