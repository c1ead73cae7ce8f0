// Takes what an apply came to into what this node remembers: durable before the apply is told so, or it comes again.

import type { InstalledRecord } from '../reconcile/actual.ts'
import type { Ended, LocalMachine } from '../reconcile/machine.ts'
import { recordsAfter } from '../reconcile/records.ts'
import { type KeptRestart, restartsAfter } from '../reconcile/restarts.ts'
import type { Clock, Store } from '../world/world.ts'
import type { Event } from './events.ts'
import { momentOf, restartsKey } from './remembered.ts'
import type { State } from './state.ts'

export async function takeIn(
  store: Pick<Store, 'batch'>,
  { records: installed, restarts: kept }: Pick<State, 'records' | 'restarts'>,
  { plan, outcomes, restarts: results }: Ended,
  now: number,
): Promise<{ records: InstalledRecord[]; restarts: KeptRestart[] }> {
  const records = recordsAfter(installed, plan, outcomes)
  const restarts = restartsAfter(kept, { planned: plan.restarts ?? [], outcomes, results, now })
  await store.batch([
    { kind: 'put', key: 'records', value: records },
    { kind: 'put', key: restartsKey, value: restarts },
  ])
  return { records, restarts }
}

/** Outcomes of applies of a former daemon; until they are here, nothing else is applied. */
export async function finishEarlier(parts: {
  machine: Pick<LocalMachine, 'finishEarlier' | 'stored'>
  store: Pick<Store, 'batch'>
  clock: Clock
  state: () => State
  dispatch: (event: Event) => void
}): Promise<void> {
  const { machine, clock, dispatch } = parts
  try {
    for (const ended of await machine.finishEarlier()) {
      const taken = await takeIn(parts.store, parts.state(), ended, clock.now())
      const { plan, outcomes, output } = ended
      dispatch({ kind: 'applied', plan, outcomes, output, ...taken, moment: momentOf(clock) })
    }
    await machine.stored()
  } finally {
    dispatch({ kind: 'earlier-finished' })
  }
}
