// What a node knew of itself and its place before it was restarted. Without it a restart without a parent would look like
// another machine at no site, and the policy for that is another one.

import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { lineSchema, nodeNameSchema, wordSchema } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import type { Log, Store } from '../world/world.ts'
import type { State } from './state.ts'

const rememberedSchema = v.object({
  site: v.nullable(wordSchema),
  facts: v.nullable(v.record(lineSchema, v.union([lineSchema, v.number(), v.boolean()]))),
  reportedTo: v.nullable(nodeNameSchema),
})
export type Remembered = v.InferOutput<typeof rememberedSchema>
const parseRemembered = parserOf(rememberedSchema)

export const nothingRemembered: Remembered = { site: null, facts: null, reportedTo: null }

const key = 'remembered'

/** What cannot be read any more is forgotten: it only stands in until the node has looked again. */
export async function loadRemembered(store: Pick<Store, 'get'>, log: Log): Promise<Remembered> {
  try {
    return parseRemembered((await store.get(key)) ?? nothingRemembered, key)
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'bad-input') throw error
    log.warn('what was remembered is forgotten', { error: error.message })
    return nothingRemembered
  }
}

export async function saveRemembered(store: Pick<Store, 'put'>, state: State): Promise<void> {
  const { site, facts, reportedTo } = state
  await store.put(key, { site, facts, reportedTo } satisfies Remembered)
}
