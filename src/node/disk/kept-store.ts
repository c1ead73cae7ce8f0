// The store of a node, with a second copy in plain files of what cannot be had again. A database
// can be damaged or lost; the node then goes on with its copy.

import * as v from 'valibot'
import { limits } from '../../model/limits.ts'
import { countSchema, type Instant } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { background } from '../../work/background.ts'
import { takingTurns } from '../../work/turns.ts'
import type { OpenStore, Store, StoreChange, StoreDamage, World } from '../../world/world.ts'
import { type DatabaseIncident, incidentSchema } from './database-incident.ts'
import { createKeptFiles, type KeptFiles } from './kept-files.ts'
import { counterAfter, counterKey, type KeptCounter, keptCounterAfter, keptRooms, keptValues } from './kept-values.ts'

export interface KeptStore extends OpenStore {
  /** The last time that the database was damaged; null if that is long ago. */
  incident(): DatabaseIncident | null
  /** What the database is called; another word after damage. */
  stamp(): string
  /** Calls back whenever it is damaged while the node runs. */
  onIncident(listener: () => void): void
}

const databaseSchema = v.strictObject({
  /** The same in the database: a database without it is another one. */
  stamp: v.string(),
  incident: v.nullable(incidentSchema),
})
const parseDatabase = parserOf(v.fallback(v.nullable(databaseSchema), null))
const parseCounter = parserOf(v.fallback(v.nullable(v.strictObject({ used: countSchema, below: countSchema })), null))
const parseRoom = parserOf(v.fallback(v.record(v.string(), v.unknown()), {}))

const stampKey = 'stamp'

/** `dir` is the folder of the copies. Throws what `World.openStore` throws. */
export async function openKeptStore(
  world: Pick<World, 'openStore' | 'disk' | 'log' | 'clock' | 'random'>,
  { path, dir }: { path: string; dir: string },
): Promise<KeptStore> {
  const { clock, log } = world
  const files = createKeptFiles({ ...world, dir })
  const copy = parseDatabase((await files.read('database')) ?? null, 'copy')
  const listeners: (() => void)[] = []
  let incident = copy?.incident ?? null
  let stamp = copy?.stamp
  let isDamaged = false

  const happened = ({ because, aside }: Pick<DatabaseIncident, 'because' | 'aside'>) => {
    isDamaged = true
    incident = { at: clock.now(), because, aside }
  }
  const saveIncident = () => files.write(new Map([['database', { stamp, incident }]]))
  const onDamaged = ({ because, detail, saved, aside }: StoreDamage) => {
    log.error('database was damaged and is rebuilt', { because, detail, saved, aside })
    happened({ because, aside })
    if (!isOpen) return
    stamp = newStamp()
    background('note damage of the database', log, restamped())
    for (const listener of listeners) listener()
  }
  const restamped = async () => {
    await saveIncident()
    await store.put(stampKey, stamp)
  }
  let isOpen = false
  const newStamp = () => Buffer.from(world.random.bytes(8)).toString('hex')
  const store = await world.openStore(path, { onDamaged })
  try {
    const stored = await store.get(stampKey)
    if (stamp !== undefined && stored !== stamp && !isDamaged) {
      log.error('database was lost', { path })
      happened({ because: 'it was missing', aside: null })
    }
    stamp = typeof stored === 'string' && !isDamaged ? stored : newStamp()
    if (stored !== stamp) await store.put(stampKey, stamp)
    const kept = await mergedCopies(store, files, isDamaged)
    await saveIncident()
    isOpen = true
    return {
      ...roomWithCopies(store, files, kept, () => clock.now()),
      close: () => store.close(),
      stamp: () => stamp ?? '',
      incident: () => (incident !== null && clock.now() - incident.at < limits.databaseToldMs ? incident : null),
      onIncident: (listener) => void listeners.push(listener),
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** What the copies hold by now. */
interface Kept {
  counter: KeptCounter
  rooms: Map<string, Record<string, unknown>>
}

/** Makes the database and the copies equal: of each value that which is safer. */
async function mergedCopies(store: Store, files: KeptFiles, isDamaged: boolean): Promise<Kept> {
  const changes: StoreChange[] = []
  const values = new Map<string, unknown>()
  for (const [key, merge] of Object.entries(keptValues)) {
    const stored = await store.get(key)
    const value = merge(await files.read(key), stored)
    if (value === undefined) continue
    values.set(key, value)
    if (JSON.stringify(value) !== JSON.stringify(stored)) changes.push({ kind: 'put', key, value })
  }
  const copy = parseCounter((await files.read(counterKey)) ?? null, 'copy')
  const stored = await store.get(counterKey)
  const counter = counterAfter(copy, stored, isDamaged)
  if (counter !== undefined && counter !== stored) changes.push({ kind: 'put', key: counterKey, value: counter })
  if (changes.length > 0) await store.batch(changes)
  const rooms = new Map<string, Record<string, unknown>>()
  for (const name of keptRooms) {
    const room = await mergedRoom(store.sub(name), parseRoom((await files.read(name)) ?? {}, 'copy'))
    rooms.set(name, room)
    if (Object.keys(room).length > 0) values.set(name, room)
  }
  await files.write(values)
  return { counter: (counter === stored && copy) || { used: 0, below: 0 }, rooms }
}

async function mergedRoom(room: Store, copy: Record<string, unknown>): Promise<Record<string, unknown>> {
  const merged: Record<string, unknown> = {}
  for await (const [key, value] of room.entries()) merged[key] = value
  for (const [key, value] of Object.entries(copy)) {
    if (JSON.stringify(merged[key]) === JSON.stringify(value)) continue
    await room.put(key, value)
    merged[key] = value
  }
  return merged
}

/** A store that writes its copies before it changes the database. */
function roomWithCopies(store: Store, files: KeptFiles, kept: Kept, now: () => Instant): Store {
  const inTurn = takingTurns()
  const isKept = ({ key }: StoreChange) => key === counterKey || Object.hasOwn(keptValues, key)
  const batch = async (changes: readonly StoreChange[]) => {
    if (!changes.some(isKept)) return await store.batch(changes)
    await inTurn(async () => {
      const values = new Map<string, unknown>()
      let { counter } = kept
      for (const change of changes) {
        const value = change.kind === 'put' ? change.value : null
        if (Object.hasOwn(keptValues, change.key)) values.set(change.key, value)
        if (change.key !== counterKey || typeof value !== 'number') continue
        counter = keptCounterAfter(counter, value, now())
        values.set(counterKey, counter)
      }
      await files.write(values)
      kept.counter = counter
      await store.batch(changes)
    })
  }
  return {
    get: store.get,
    entries: store.entries,
    ...changingBy(batch),
    sub: (name) => {
      const room = kept.rooms.get(name)
      return room === undefined ? store.sub(name) : keptRoom(store.sub(name), name, { files, room, inTurn })
    },
  }
}

/** A room all of whose values are kept in one file. */
function keptRoom(
  store: Store,
  name: string,
  { files, room, inTurn }: { files: KeptFiles; room: Record<string, unknown>; inTurn: ReturnType<typeof takingTurns> },
): Store {
  const batch = (changes: readonly StoreChange[]) =>
    inTurn(async () => {
      const next = { ...room }
      for (const change of changes) {
        if (change.kind === 'put') next[change.key] = change.value
        else delete next[change.key]
      }
      await files.write(new Map([[name, next]]))
      for (const key of Object.keys(room)) delete room[key]
      Object.assign(room, next)
      await store.batch(changes)
    })
  return { ...store, ...changingBy(batch) }
}

function changingBy(batch: Store['batch']): Pick<Store, 'put' | 'delete' | 'batch'> {
  return {
    batch,
    put: (key, value) => batch([{ kind: 'put', key, value }]),
    delete: (key) => batch([{ kind: 'delete', key }]),
  }
}
