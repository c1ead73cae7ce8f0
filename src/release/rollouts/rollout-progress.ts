// What a root remembers of its rollouts beside their signed state, in a store of its own.

import * as v from 'valibot'
import { instantSchema, nodeNameSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import type { Clock, Store } from '../../world/world.ts'
import type { RolloutProgress } from './rollout-waves.ts'

export interface ProgressStore {
  /**
   * The progress of a rollout, by its name; that of a rollout that begins now if nothing is stored.
   */
  of(name: string): Promise<RolloutProgress>
  /** Stores the progress if it changed, or if nothing is stored. */
  save(name: string, before: RolloutProgress, after: RolloutProgress): Promise<void>
  /** Deletes the progress of all other rollouts. */
  keepOnly(names: ReadonlySet<string>): Promise<void>
}

const progressSchema = v.strictObject({
  openedAt: instantSchema,
  settledAt: v.nullable(instantSchema),
  forgiven: v.array(nodeNameSchema),
})
const parseProgress = parserOf(progressSchema)

export function openProgressStore({ store, clock }: { store: Store; clock: Pick<Clock, 'now'> }): ProgressStore {
  return {
    async of(name) {
      const saved = await store.get(name)
      return saved === undefined
        ? { openedAt: clock.now(), settledAt: null, forgiven: [] }
        : parseProgress(saved, `progress of ${name}`)
    },
    async save(name, before, after) {
      const isChanged = JSON.stringify(after) !== JSON.stringify(before)
      if (isChanged || (await store.get(name)) === undefined) await store.put(name, after)
    },
    async keepOnly(names) {
      for await (const [key] of store.entries()) if (!names.has(key)) await store.delete(key)
    },
  }
}
