// The part of the holdings that survives a restart: their specs, their durable pieces and their
// counters.

import * as v from 'valibot'
import type { HoldingSpec } from '../../model/manifest.ts'
import { payloadSchema } from '../../model/manifest.ts'
import {
  countSchema,
  type InfoHash,
  instantSchema,
  packageNameSchema,
  packageVersionSchema,
  sha256Schema,
} from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import type { Store, StoreChange } from '../../world/world.ts'
import { bitsFor, piecesOf } from './bits.ts'
import { type Holding, newHolding } from './holding.ts'

const specSchema = v.strictObject({
  manifest: sha256Schema,
  name: packageNameSchema,
  version: packageVersionSchema,
  payload: v.pipe(
    payloadSchema,
    v.check((payload) => payload.via === 'swarm', 'expected the payload of a swarm'),
  ),
})
const parseSpec = parserOf(specSchema)

const base64Schema = v.pipe(v.string(), v.base64())
const recordSchema = v.strictObject({
  complete: v.boolean(),
  bits: base64Schema,
  counters: v.strictObject({
    fromParent: countSchema,
    fromSiblings: countSchema,
    overLink: countSchema,
    given: countSchema,
  }),
  startedAt: v.nullable(instantSchema),
  completedAt: v.nullable(instantSchema),
  linkRate: v.optional(v.nullable(countSchema), null),
  usedAt: v.optional(v.nullable(instantSchema), null),
  checkedAt: v.optional(v.nullable(instantSchema), null),
  mending: v.optional(v.boolean(), false),
})
const parseRecord = parserOf(recordSchema)
const parseMetainfo = parserOf(base64Schema)

export interface Records {
  /** The holdings as they were recorded when the records were opened. */
  holdings: Holding[]
  /** Whether the last run closed these records. */
  endedClean: boolean
  /** Records a new holding, or a new spec of a known one, and its metainfo. */
  add(spec: HoldingSpec): Promise<void>
  /** Undefined if none is recorded. Throws `bad-input` if the record is damaged. */
  metainfo(infoHash: InfoHash): Promise<Uint8Array | undefined>
  /** Resolves when the newest state of the holding is durable. Many calls become one write. */
  save(holding: Holding): Promise<void>
  /** Removes all that is recorded of the holding. */
  remove(infoHash: InfoHash): Promise<void>
  /** Waits for the last write, and marks a clean end. */
  close(): Promise<void>
}

export async function openRecords(store: Store): Promise<Records> {
  const specs = store.sub('specs')
  const metainfos = store.sub('metainfos')
  const progress = store.sub('progress')
  const holdings: Holding[] = []
  for await (const [stored, storedProgress] of bothOf(specs, progress)) {
    holdings.push(holdingFrom(stored, storedProgress))
  }
  const endedClean = (await store.get('session')) !== 'open'
  await store.put('session', 'open')

  let waiting = new Map<InfoHash, StoreChange>()
  let writing: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined

  const write = (change: StoreChange): Promise<void> => {
    waiting.set(change.key, change)
    next ??= writing.then(
      () => writeWaiting(),
      () => writeWaiting(),
    )
    return next
  }
  const writeWaiting = (): Promise<void> => {
    const changes = [...waiting.values()]
    waiting = new Map()
    next = undefined
    writing = progress.batch(changes)
    return writing
  }
  return {
    holdings,
    endedClean,
    add: async ({ metainfo, ...spec }) => {
      const { infoHash } = spec.payload
      await metainfos.put(infoHash, Buffer.from(metainfo).toString('base64'))
      await specs.put(infoHash, spec)
    },
    metainfo: async (infoHash) => {
      const stored = await metainfos.get(infoHash)
      if (stored === undefined) return undefined
      return Uint8Array.from(Buffer.from(parseMetainfo(stored, `metainfo ${infoHash}`), 'base64'))
    },
    save: (holding) => write({ kind: 'put', key: holding.spec.payload.infoHash, value: recordOf(holding) }),
    remove: async (infoHash) => {
      await specs.delete(infoHash)
      await write({ kind: 'delete', key: infoHash })
      await metainfos.delete(infoHash)
    },
    close: async () => {
      while (next !== undefined) await next
      await writing
      await store.put('session', 'closed')
    },
  }
}

/**
 * Each spec with the progress of the same key. Both stores are in the order of their keys, so each
 * is read through once: to read one entry at a time takes ten times as long.
 */
async function* bothOf(specs: Store, progress: Store): AsyncGenerator<[spec: unknown, progress: unknown]> {
  const others = progress.entries()[Symbol.asyncIterator]()
  try {
    let other = await others.next()
    for await (const [key, spec] of specs.entries()) {
      while (other.done !== true && other.value[0] < key) other = await others.next()
      yield [spec, other.done !== true && other.value[0] === key ? other.value[1] : undefined]
    }
  } finally {
    await others.return?.()
  }
}

function holdingFrom(stored: unknown, storedProgress: unknown): Holding {
  const spec = parseSpec(stored, 'record of a holding')
  const { payload } = spec
  if (payload.via !== 'swarm') throw new TypeError('its schema lets only swarm payloads through')
  const empty = newHolding({ ...spec, payload })
  if (storedProgress === undefined) return empty
  const { complete, bits, ...kept } = parseRecord(storedProgress, `progress of ${payload.infoHash}`)
  const pieces = Uint8Array.from(Buffer.from(bits, 'base64'))
  if (complete) return { ...empty, ...kept, progress: { kind: 'complete' }, bits: new Uint8Array() }
  return { ...empty, ...kept, bits: pieces.length === empty.bits.length ? pieces : bitsFor(piecesOf(payload)) }
}

function recordOf(holding: Holding): v.InferOutput<typeof recordSchema> {
  const { counters, startedAt, completedAt, linkRate, usedAt, checkedAt, mending } = holding
  const complete = holding.progress.kind === 'complete'
  const bits = Buffer.from(holding.bits).toString('base64')
  return { complete, bits, counters, startedAt, completedAt, linkRate, usedAt, checkedAt, mending }
}
