// Takes what an apply came to into what this node remembers: durable before the apply is told so, or it comes again.

import type { InstalledRecord } from '../reconcile/actual.ts'
import type { Ended } from '../reconcile/machine.ts'
import { recordsAfter } from '../reconcile/records.ts'
import { type KeptRestart, restartsAfter } from '../reconcile/restarts.ts'
import type { Store } from '../world/world.ts'
import { restartsKey } from './remembered.ts'
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
