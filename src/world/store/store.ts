// The store on disk: LevelDB with JSON values, every change synced before it is acknowledged.

import type { OpenStore, Store, StoreChange, StoreOptions } from '../world.ts'
import { type MendingDatabase, openMending } from './mending-database.ts'
import { sealed, unsealed } from './sealed-values.ts'
import { StoreDamaged } from './store-damage.ts'

/**
 * The highest code point. No key of banyan contains it, so a prefix with it is above every key with
 * the prefix.
 */
const aboveAll = '\u{10ffff}'

/**
 * The folders above `path` exist already. A damaged database is rebuilt, now or when the damage is
 * met, and `onDamaged` told. Throws `locked`, `no-space` or `disk`.
 */
export async function openLevelStore(path: string, { onDamaged }: StoreOptions = {}): Promise<OpenStore> {
  const database = await openMending(path, onDamaged ?? (() => {}))
  return { ...roomAt(database, ''), close: () => database.close() }
}

/** A part of the store whose keys start with the room's name. */
function roomAt(database: MendingDatabase, room: string): Store {
  const full = (key: string) => `${room}:${key}`
  const batch = async (changes: readonly StoreChange[]) => {
    const operations = changes.map((each) =>
      each.kind === 'put'
        ? { type: 'put' as const, key: full(each.key), value: sealed(full(each.key), jsonOf(each.value)) }
        : { type: 'del' as const, key: full(each.key) },
    )
    await database.change((open) => open.batch(operations, { sync: true }))
  }
  const checkedValue = (key: string, stored: string): unknown => {
    const json = unsealed(key, stored)
    if (json === undefined) throw new StoreDamaged('a value of it is changed')
    return JSON.parse(json)
  }
  return {
    get: (key) =>
      database.read(async (open) => {
        const stored = await open.get(full(key))
        return stored === undefined ? undefined : checkedValue(full(key), stored)
      }),
    put: (key, value) => batch([{ kind: 'put', key, value }]),
    delete: (key) => batch([{ kind: 'delete', key }]),
    batch,
    entries: async function* (prefix = '') {
      const start = full(prefix)
      let range: { gte: string } | { gt: string } = { gte: start }
      for (;;) {
        const { rebuilds } = database
        try {
          const found = await database.read(async (open) => open.iterator({ ...range, lt: start + aboveAll }))
          for await (const [key, stored] of found) {
            const value = checkedValue(key, stored)
            range = { gt: key }
            yield [key.slice(room.length + 1), value]
          }
          return
        } catch (error) {
          // Of a rebuilt database the walk sees the rest as it is now.
          if (!(await database.isRebuilt(error, rebuilds))) throw database.failureFor(error)
        }
      }
    },
    sub: (name) => roomAt(database, room === '' ? roomName(name) : `${room}/${roomName(name)}`),
  }
}

/** Throws a TypeError for a bad name, since only our own code names rooms. */
export function roomName(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new TypeError(`not a name for a room in a store: ${name}`)
  return name
}

/** Throws a TypeError for a value that JSON cannot express. */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value)
  if (json === undefined) throw new TypeError('a stored value must be JSON')
  return json
}
