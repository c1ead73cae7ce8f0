import t from 'tap'
import { BoundedMap, recentlyUsed } from '../../src/model/bounded-map.ts'

t.test('a bounded map removes its oldest entry, one of recent use the entry unused for longest', async (t) => {
  const bounded = new BoundedMap<string, number>(2).set('a', 1).set('b', 2).set('a', 3).set('c', 4)
  t.same(
    [...bounded],
    [
      ['a', 3],
      ['c', 4],
    ],
  )
  const recent = recentlyUsed<string, number>(2)
  recent.set('a', 1)
  recent.set('b', 2)
  recent.get('a')
  recent.set('c', 3)
  t.same([recent.get('a'), recent.get('b'), recent.get('c')], [1, undefined, 3])
})

t.test('what is removed is handed over, what is set anew is not', async (t) => {
  const removed: [string, number][] = []
  const recent = recentlyUsed<string, number>(2, (value, key) => removed.push([key, value]))
  recent.set('a', 1).set('b', 2).set('b', 3).set('c', 4)
  recent.delete('c')
  t.same(removed, [['a', 1]])
})
