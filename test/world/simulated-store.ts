// A store in memory. Acknowledged changes outlast a crash; a batch does so as a whole.

import { Failure } from '../../src/model/failure.ts'
import { jsonOf, roomName } from '../../src/world/store/store.ts'
import type { OpenStore, Store, StoreChange } from '../../src/world/world.ts'
import type { Life } from './life.ts'
import { noSpace, type Platter } from './simulated-disk.ts'

/** Stores that are open now, by path, of one node. */
export type OpenPaths = Set<string>

export async function openSimulatedStore(
  path: string,
  platter: Platter,
  life: Life,
  open: OpenPaths,
): Promise<OpenStore> {
  const data = await life.lasting(platter.delayMs(), () => {
    platter.check('store', path)
    if (open.has(path)) {
      throw new Failure('locked', `${path} is open in another process`, { hint: 'does its daemon run already?' })
    }
    open.add(path)
    const there = platter.stores.get(path) ?? new Map<string, string>()
    platter.stores.set(path, there)
    return there
  })
  let closed = false
  life.onEnd(() => open.delete(path))

  function operate<T>(work: () => T): Promise<T> {
    return life.lasting(platter.delayMs(), () => {
      if (closed) throw new Failure('stopped', `store ${path} is closed`)
      platter.check('store', path)
      return work()
    })
  }

  function roomAt(room: string): Store {
    const full = (key: string) => `${room}:${key}`
    const batch = (changes: readonly StoreChange[]): Promise<void> => {
      const ready = changes.map(
        (each) => [full(each.key), each.kind === 'put' ? jsonOf(each.value) : undefined] as const,
      )
      return operate(() => {
        const bytes = ready.reduce((sum, [key, json]) => sum + (json === undefined ? 0 : key.length + json.length), 0)
        if (bytes > platter.freeBytes()) throw noSpace(path)
        for (const [key, json] of ready) {
          if (json === undefined) data.delete(key)
          else data.set(key, json)
        }
      })
    }
    return {
      get: (key) =>
        operate(() => {
          const json = data.get(full(key))
          return json === undefined ? undefined : JSON.parse(json)
        }),
      put: async (key, value) => batch([{ kind: 'put', key, value }]),
      delete: (key) => batch([{ kind: 'delete', key }]),
      batch: async (changes) => batch(changes),
      entries: async function* (prefix = '') {
        const start = full(prefix)
        const entries = await operate(() => [...data].filter(([key]) => key.startsWith(start)))
        entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        for (const [key, json] of entries) yield [key.slice(room.length + 1), JSON.parse(json)]
      },
      sub: (name) => roomAt(room === '' ? roomName(name) : `${room}/${roomName(name)}`),
    }
  }

  return {
    ...roomAt(''),
    close: async () => {
      closed = true
      open.delete(path)
    },
  }
}
