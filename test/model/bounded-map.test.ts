import t from 'tap'
import { BoundedMap } from '../../src/model/bounded-map.ts'

t.test('a bounded map removes its oldest entry; setting an entry again makes it the newest', async (t) => {
  const bounded = new BoundedMap<string, number>(2).set('a', 1).set('b', 2).set('a', 3).set('c', 4)
  t.same(
    [...bounded],
    [
      ['a', 3],
      ['c', 4],
    ],
  )
})

t.test('an entry that the map removes is handed over; one that is set again or deleted is not', async (t) => {
  const removed: [string, number][] = []
  const bounded = new BoundedMap<string, number>(2, (value, key) => removed.push([key, value]))
  bounded.set('a', 1).set('b', 2).set('b', 3).set('c', 4)
  bounded.delete('c')
  t.same(removed, [['a', 1]])
})
