// What a node saves for its next start. A node that starts without its parent needs its facts and
// its site: without them it would be another machine at no site, for which the policy may want
// other packages.

import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { countSchema, instantSchema, lineSchema, nodeNameSchema, wordSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { memorySchema } from '../../model/wire/reports-answer.ts'
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
  /** The site that the tracker saw. */
  site: v.nullable(wordSchema),
  facts: v.nullable(v.record(lineSchema, v.union([lineSchema, v.number(), v.boolean()]))),
  reportedTo: v.nullable(nodeNameSchema),
  reportedMemory: v.exactOptional(memorySchema),
  /** Until when attacks were looked at, by node. */
  acknowledged: v.exactOptional(v.record(nodeNameSchema, instantSchema)),
})
export type Remembered = v.InferOutput<typeof rememberedSchema>
const parseRemembered = parserOf(rememberedSchema)
const parseConverged = parserOf(v.nullable(countSchema))

export const nothingRemembered: Remembered = { site: null, facts: null, reportedTo: null }

const key = 'remembered'
const quarantineKey = 'quarantine'
export const restartsKey = 'restarts'

/**
 * Site, facts and parent. A value that cannot be read any more is dropped, because the node will
 * find it out again.
 */
export async function loadRemembered(store: Pick<Store, 'get'>, log: Log): Promise<Remembered> {
  return parsedOr(nothingRemembered, log, async () => parseRemembered((await store.get(key)) ?? nothingRemembered, key))
}

/** Throws what the store throws. */
export async function saveRemembered(store: Pick<Store, 'put'>, state: State): Promise<void> {
  const { siteSeen: site, facts, reportedTo, reportedMemory: memory, acknowledged } = state
  const parent = { reportedTo, ...(memory !== null && { reportedMemory: memory }) }
  await store.put(key, { site, facts, ...parent, acknowledged } satisfies Remembered)
}

/** Packages that failed before the restart stay in quarantine for the rest of their time. */
export async function loadQuarantine(store: Pick<Store, 'get'>, clock: Clock, log: Log): Promise<Quarantined[]> {
  const saved = await parsedOr([], log, async () => {
    return parseSavedQuarantines((await store.get(quarantineKey)) ?? [], quarantineKey)
  })
  return quarantineRestored(saved, momentOf(clock))
}

/** The restarts that the policy had done, and those that an apply of a former daemon still owes. */
export async function loadRestarts(store: Pick<Store, 'get'>, log: Log): Promise<KeptRestart[]> {
  return parsedOr([], log, async () => parseKeptRestarts((await store.get(restartsKey)) ?? [], restartsKey))
}

/** Throws what the store throws. */
export async function saveQuarantine(store: Pick<Store, 'put'>, { quarantine }: State): Promise<void> {
  await store.put(quarantineKey, quarantineToSave(quarantine))
}

/**
 * The packages that banyan has installed, and the newest revision without a difference. Throws
 * `bad-input` if either cannot be read: without its records a node must not change the machine.
 */
export async function loadSaved(
  store: Pick<Store, 'get'>,
): Promise<{ records: InstalledRecord[]; converged: number | null }> {
  const records = parseInstalledRecords((await store.get('records')) ?? [], 'records of what is installed')
  const converged = parseConverged((await store.get('converged')) ?? null, 'converged revision')
  return { records, converged }
}

/** Now, on both clocks. */
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
