// What a node knew of itself and its place before it was restarted. Without it a restart without a parent would look like
// another machine at no site, and the policy for that is another one.

import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { countSchema, lineSchema, nodeNameSchema, wordSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { type InstalledRecord, parseInstalledRecords } from '../../reconcile/actual.ts'
import {
  type Moment,
  parseSavedQuarantines,
  type Quarantined,
  quarantineRestored,
  quarantineToSave,
} from '../../reconcile/quarantine.ts'
import { type KeptRestart, parseKeptRestarts } from '../../reconcile/restarts.ts'
import type { Clock, Log, Store } from '../../world/world.ts'
import type { State } from './state.ts'

const rememberedSchema = v.object({
  site: v.nullable(wordSchema),
  facts: v.nullable(v.record(lineSchema, v.union([lineSchema, v.number(), v.boolean()]))),
  reportedTo: v.nullable(nodeNameSchema),
})
export type Remembered = v.InferOutput<typeof rememberedSchema>
const parseRemembered = parserOf(rememberedSchema)
const parseConverged = parserOf(v.nullable(countSchema))

export const nothingRemembered: Remembered = { site: null, facts: null, reportedTo: null }

const key = 'remembered'
const quarantineKey = 'quarantine'
export const restartsKey = 'restarts'

/** What cannot be read any more is forgotten: it only stands in until the node has looked again. */
export async function loadRemembered(store: Pick<Store, 'get'>, log: Log): Promise<Remembered> {
  return parsedOr(nothingRemembered, log, async () => parseRemembered((await store.get(key)) ?? nothingRemembered, key))
}

export async function saveRemembered(store: Pick<Store, 'put'>, state: State): Promise<void> {
  const { site, facts, reportedTo } = state
  await store.put(key, { site, facts, reportedTo } satisfies Remembered)
}

/** What failed before the restart is left alone for the rest of its time. */
export async function loadQuarantine(store: Pick<Store, 'get'>, clock: Clock, log: Log): Promise<Quarantined[]> {
  const saved = await parsedOr([], log, async () => {
    return parseSavedQuarantines((await store.get(quarantineKey)) ?? [], quarantineKey)
  })
  return quarantineRestored(saved, momentOf(clock))
}

/** What the policy had restarted, and what an apply of a former daemon has left to restart. */
export async function loadRestarts(store: Pick<Store, 'get'>, log: Log): Promise<KeptRestart[]> {
  return parsedOr([], log, async () => parseKeptRestarts((await store.get(restartsKey)) ?? [], restartsKey))
}

export async function saveQuarantine(store: Pick<Store, 'put'>, { quarantine }: State): Promise<void> {
  await store.put(quarantineKey, quarantineToSave(quarantine))
}

/** What is installed by banyan, and the newest revision without a difference. Throws `bad-input` for what is neither. */
export async function loadSaved(
  store: Pick<Store, 'get'>,
): Promise<{ records: InstalledRecord[]; converged: number | null }> {
  const records = parseInstalledRecords((await store.get('records')) ?? [], 'records of what is installed')
  const converged = parseConverged((await store.get('converged')) ?? null, 'converged revision')
  return { records, converged }
}

export function momentOf(clock: Pick<Clock, 'now' | 'monotonicMs'>): Moment {
  return { at: clock.now(), monotonicMs: clock.monotonicMs() }
}

async function parsedOr<T>(otherwise: T, log: Log, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'bad-input') throw error
    log.warn('what was remembered is forgotten', { error: error.message })
    return otherwise
  }
}
