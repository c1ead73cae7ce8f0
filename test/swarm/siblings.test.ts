import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createSiblings } from '../../src/swarm/siblings.ts'
import { handClock } from '../tracker/hand-clock.ts'

function stage() {
  const clock = handClock()
  let changes = 0
  const onChange = () => {
    changes += 1
  }
  const siblings = createSiblings({ clock, onChange })
  const unreached = () => siblings.now().unreached.map(({ node }) => node)
  return { clock, siblings, unreached, changes: () => changes }
}

t.test('a dial in vain is told once, until the sibling is reached, calls or has moved', async (t) => {
  const { siblings, unreached, changes } = stage()
  for (let times = 0; times < 3; times += 1) siblings.dialled('a', 'x', 'no answer')
  t.same(siblings.now(), { reached: 0, unreached: [{ node: 'a', place: 'x', because: 'no answer' }] })
  t.equal(changes(), 1)
  siblings.met('a')
  t.same(siblings.now(), { reached: 1, unreached: [] })
  t.equal(changes(), 2)
  siblings.dialled('a', 'x', 'no answer')
  siblings.handedOut('a', 'x')
  t.same(unreached(), ['a'])
  siblings.handedOut('a', 'y')
  t.same(unreached(), [])
  siblings.dialled('b', 'x', 'no answer')
  siblings.dialled('b', 'x', null)
  t.same(siblings.now(), { reached: 1, unreached: [] })
})

t.test('what is long ago is forgotten, and there is an end to what is known', async (t) => {
  const { clock, siblings, unreached, changes } = stage()
  siblings.dialled('a', 'x', 'no answer')
  siblings.met('b')
  clock.pass(limits.unreachedKeptMs)
  t.same(siblings.now(), { reached: 0, unreached: [] })
  siblings.dialled('a', 'x', 'no answer')
  t.equal(changes(), 2, 'and is news again')
  for (let index = 0; index < 200; index += 1) siblings.dialled(`n${index}`, 'x', 'no answer')
  t.equal(unreached().length, limits.unreachedMax)
  t.equal(unreached().at(-1), 'n199')
})
