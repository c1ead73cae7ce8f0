// What holds for every store.

import fc from 'fast-check'
import type { Test } from 'tap'
import type { OpenStore, Store, StoreChange } from '../../src/world/world.ts'
import { failureCodeOf } from './contract.ts'

/** `open` gives what opens one and the same store, empty at first. */
export function storeContract(t: Test, open: (t: Test) => Promise<() => Promise<OpenStore>>): void {
  check(t, 'what was put is got, as JSON sees it', async (t, store) => {
    const values = [null, false, 0, '', 'text', [1, [2]], { a: { b: 'ü' }, 'odd key': [] }]
    for (const value of values) {
      await store.put('key', value)
      t.same(await store.get('key'), value)
    }
    await store.put('key', { gone: undefined, at: new Date(0) })
    t.strictSame(await store.get('key'), { at: '1970-01-01T00:00:00.000Z' })
    await t.rejects(store.put('key', undefined), TypeError)
  })

  check(t, 'what nobody put is undefined, and so is what was deleted', async (t, store) => {
    t.equal(await store.get('a'), undefined)
    await store.put('a', 1)
    await store.delete('a')
    await store.delete('a')
    t.equal(await store.get('a'), undefined)
  })

  check(t, 'a value that was got is the caller’s own', async (t, store) => {
    const value = { list: [1] }
    await store.put('a', value)
    value.list.push(2)
    const got = (await store.get('a')) as typeof value
    got.list.push(3)
    t.same(await store.get('a'), { list: [1] })
  })

  check(t, 'entries come in key order, only those with the prefix', async (t, store) => {
    for (const key of ['b', 'a/2', 'a/10', 'a', 'a0', 'ä', '\u{1f333}', 'a/\u{1f333}', 'a/\uffff'])
      await store.put(key, key)
    t.same(await keysOf(store), ['a', 'a/10', 'a/2', 'a/\uffff', 'a/\u{1f333}', 'a0', 'b', 'ä', '\u{1f333}'])
    t.same(await keysOf(store, 'a/'), ['a/10', 'a/2', 'a/\uffff', 'a/\u{1f333}'])
    t.same(await keysOf(store, 'nothing'), [])
  })

  check(t, 'a walk through the entries sees the store as it was at its start', async (t, store) => {
    for (const key of ['a', 'b', 'c']) await store.put(key, 1)
    const seen: string[] = []
    for await (const [key] of store.entries()) {
      seen.push(key)
      await store.put('d', 1)
      await store.delete('c')
    }
    t.same(seen, ['a', 'b', 'c'])
    t.same(await keysOf(store), ['a', 'b', 'd'])
  })

  check(t, 'a walk can be left early', async (t, store) => {
    for (const key of ['a', 'b', 'c']) await store.put(key, 1)
    for await (const [key] of store.entries()) {
      t.equal(key, 'a')
      break
    }
  })

  check(t, 'rooms do not see one another', async (t, store) => {
    const [one, other] = [store.sub('one'), store.sub('one-more')]
    const inner = one.sub('more')
    for (const room of [store, one, other, inner]) await room.put('key', 1)
    await store.put('one', 'in the store itself')
    await one.put('more:key', 'an odd key')
    await one.delete('key')
    t.same(await keysOf(store), ['key', 'one'])
    t.same(await keysOf(one), ['more:key'])
    t.same(await keysOf(other), ['key'])
    t.same(await keysOf(inner), ['key'])
    t.equal(await store.sub('one').sub('more').get('key'), 1)
    for (const name of ['', 'A', 'a/b', 'a:b', 'a b', '!']) t.throws(() => store.sub(name), TypeError)
  })

  check(t, 'a batch is done in its order', async (t, store) => {
    await store.put('b', 0)
    await store.batch([
      { kind: 'put', key: 'a', value: 1 },
      { kind: 'put', key: 'a', value: 2 },
      { kind: 'delete', key: 'b' },
      { kind: 'put', key: 'c', value: 3 },
      { kind: 'delete', key: 'c' },
    ])
    await store.batch([])
    t.same(await keysOf(store), ['a'])
    t.equal(await store.get('a'), 2)
  })

  check(t, 'a batch with something in it that cannot be stored is not done at all', async (t, store) => {
    await t.rejects(
      store.batch([
        { kind: 'put', key: 'a', value: 1 },
        { kind: 'put', key: 'b', value: undefined },
      ]),
      TypeError,
    )
    t.same(await keysOf(store), [])
  })

  check(t, 'the store is the same after it was closed and opened again', async (t, store, reopen) => {
    await store.put('a', [1])
    await store.sub('room').put('b', 2)
    const again = await reopen()
    t.same(await again.get('a'), [1])
    t.same(await again.sub('room').get('b'), 2)
  })

  t.test('a store is open once at a time', async (t) => {
    const openOne = await open(t)
    const store = await openOne()
    t.equal(await failureCodeOf(openOne()), 'locked')
    await store.close()
    const again = await openOne()
    t.equal(await failureCodeOf(store.put('a', 1)), 'stopped')
    await again.close()
  })

  t.test('whatever is done to a store, it holds what a plain map would', async (t) => {
    const openOne = await open(t)
    const key = fc.constantFrom('a', 'b', 'a/1', 'a/2', 'ä', 'zz')
    const change: fc.Arbitrary<StoreChange> = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key, value: fc.jsonValue({ maxDepth: 2 }) }),
      fc.record({ kind: fc.constant('delete' as const), key }),
    )
    const run = fc.array(
      fc.record({ room: fc.constantFrom('', 'x', 'y'), changes: fc.array(change, { maxLength: 4 }) }),
    )
    await fc.assert(
      fc.asyncProperty(run, async (batches) => {
        const store = await openOne()
        const rooms = new Map<string, Map<string, string>>(['', 'x', 'y'].map((room) => [room, new Map()]))
        const roomOf = (room: string) => (room === '' ? store : store.sub(room))
        for (const { room, changes } of batches) {
          await roomOf(room).batch(changes)
          for (const each of changes) {
            if (each.kind === 'put') rooms.get(room)?.set(each.key, JSON.stringify(each.value))
            else rooms.get(room)?.delete(each.key)
          }
        }
        for (const [room, expected] of rooms) {
          const found: [string, string][] = []
          for await (const [key, value] of roomOf(room).entries()) found.push([key, JSON.stringify(value)])
          const sorted = [...expected].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
          t.same(found, sorted)
          for (const [key] of found) await roomOf(room).delete(key)
        }
        await store.close()
      }),
      { numRuns: 25 },
    )
  })

  function check(
    t: Test,
    promise: string,
    body: (t: Test, store: Store, reopen: () => Promise<OpenStore>) => Promise<void>,
  ): void {
    t.test(promise, async (t) => {
      const openOne = await open(t)
      let store = await openOne()
      try {
        await body(t, store, async () => {
          await store.close()
          store = await openOne()
          return store
        })
      } finally {
        await store.close()
      }
    })
  }
}

async function keysOf(store: Store, prefix?: string): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.entries(prefix)) keys.push(key)
  return keys
}
