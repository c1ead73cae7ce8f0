// Takes what an apply came to into what this node remembers: durable before the apply is told so, or it comes again.

import { messageOf } from '../../model/failure.ts'
import type { EndedApply } from '../../reconcile/apply/ended-apply.ts'
import type { LocalMachine } from '../../reconcile/machine.ts'
import { recordsAfter } from '../../reconcile/records.ts'
import { restartsAfter } from '../../reconcile/restarts.ts'
import type { Clock, Log, Store } from '../../world/world.ts'
import type { Event } from '../state/events.ts'
import { momentOf, restartsKey } from '../state/remembered.ts'
import type { State } from '../state/state.ts'

export interface TakingIn {
  /** Throws if it cannot be stored. Then it is still to be taken in, before all that comes later. */
  take(ended: readonly EndedApply[]): Promise<void>
  /** What could not be stored so far. */
  takeRest(): Promise<void>
  /** Outcomes of applies of a former daemon; until they are here, nothing else is applied. */
  finishEarlier(): Promise<void>
}

export function openTakingIn(parts: {
  machine: Pick<LocalMachine, 'finishEarlier' | 'stored'>
  store: Pick<Store, 'batch'>
  clock: Clock
  log: Log
  state: () => Pick<State, 'records' | 'restarts'>
  dispatch: (event: Event) => void
}): TakingIn {
  const { machine, store, clock, log, dispatch } = parts
  /** The oldest first: what a later one says of the same package is what holds. */
  let rest: readonly EndedApply[] = []
  /** Taken in, and to be marked so: one that comes again after a later one would undo what that said. */
  let unmarked: readonly string[] = []

  const takeRest = async () => {
    if (rest.length === 0) return
    const taken = rest
    let { records, restarts } = parts.state()
    for (const { plan, outcomes, restarts: results } of taken) {
      records = recordsAfter(records, plan, outcomes)
      restarts = restartsAfter(restarts, { planned: plan.restarts ?? [], outcomes, results, now: clock.now() })
    }
    await store.batch([
      { kind: 'put', key: 'records', value: records },
      { kind: 'put', key: restartsKey, value: restarts },
    ])
    rest = rest.slice(taken.length)
    unmarked = [...unmarked, ...taken.map(({ txid }) => txid)]
    try {
      await machine.stored(unmarked)
      unmarked = []
    } catch (error) {
      // What they came to is stored all the same; they are marked with the next one.
      log.warn('apply not marked as taken in', { error: messageOf(error) })
    }
    for (const { plan, outcomes, output } of taken) {
      dispatch({ kind: 'applied', plan, outcomes, output, records, restarts: [...restarts], moment: momentOf(clock) })
    }
  }
  const take = async (ended: readonly EndedApply[]) => {
    rest = [...rest, ...ended]
    await takeRest()
  }
  return {
    take,
    takeRest,
    async finishEarlier() {
      try {
        await take(await machine.finishEarlier())
      } finally {
        dispatch({ kind: 'earlier-finished' })
      }
    },
  }
}
