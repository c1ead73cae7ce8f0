import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { unlimited } from '../../src/model/units/rates.ts'
import { noCounters, placeOf } from '../../src/swarm/engine.ts'
import { createEngineControl } from '../../src/swarm/engine-control.ts'
import type { EngineKeeper } from '../../src/swarm/keeper.ts'
import { createHandouts } from '../../src/swarm/openings/peers-to-dial.ts'
import { createSiblings, nearIn } from '../../src/swarm/siblings.ts'
import { handClock } from '../tracker/hand-clock.ts'

const payload = 'ab'.repeat(20)

function stage() {
  const clock = handClock()
  let changes = 0
  const onChange = () => {
    changes += 1
  }
  const siblings = createSiblings({ clock, onChange, isChild: (node) => node.startsWith('child') })
  const dialled = (node: string, place: string, because: string | null, isElsewhere = false) => {
    siblings.dialled({ node, place, because, isElsewhere })
  }
  const unreached = () => siblings.now().unreached.map(({ node }) => node)
  return { clock, siblings, dialled, unreached, changes: () => changes }
}

t.test('a dial in vain is told once, until the sibling is reached, calls or has moved', async (t) => {
  const { siblings, dialled, unreached, changes } = stage()
  for (let times = 0; times < 3; times += 1) dialled('a', 'x', 'no answer')
  t.same(siblings.now(), { reached: 0, unreached: [{ node: 'a', place: 'x', because: 'no answer' }] })
  t.equal(changes(), 1)
  siblings.met('a')
  siblings.wired(payload, 'a', 'near')
  t.same(siblings.now(), { reached: 1, unreached: [] })
  t.equal(changes(), 2)
  dialled('a', 'x', 'no answer')
  siblings.handedOut('a', 'x')
  t.same(unreached(), ['a'])
  siblings.handedOut('a', 'y')
  t.same(unreached(), [])
  dialled('b', 'x', 'no answer')
  dialled('b', 'x', null)
  t.same(siblings.now(), { reached: 2, unreached: [] })
})

t.test('what is long ago is forgotten, and there is an end to what is known', async (t) => {
  const { clock, siblings, dialled, unreached, changes } = stage()
  dialled('a', 'x', 'no answer')
  dialled('b', 'x', null)
  clock.pass(limits.unreachedKeptMs)
  t.same(siblings.now(), { reached: 0, unreached: [] })
  dialled('a', 'x', 'no answer')
  t.equal(changes(), 2, 'and is news again')
  for (let index = 0; index < 200; index += 1) dialled(`n${index}`, 'x', 'no answer')
  t.equal(unreached().length, limits.unreachedMax)
  t.equal(unreached().at(-1), 'n199')
})

t.test('a sibling is reached for as long as there is a wire, and a while longer', async (t) => {
  const { clock, siblings, dialled } = stage()
  const reached = () => siblings.now().reached
  dialled('a', 'x', null)
  siblings.wired(payload, 'a', 'near')
  clock.pass(limits.unreachedKeptMs * 3)
  t.equal(reached(), 1, 'a healthy wire does not age')
  siblings.wired(payload, 'a', null)
  clock.pass(limits.unreachedKeptMs - 1)
  t.equal(reached(), 1)
  clock.pass(1)
  t.equal(reached(), 0)
  siblings.wired(payload, 'a', 'near')
  siblings.wired('cd'.repeat(20), 'b', 'near')
  siblings.unwired(payload)
  clock.pass(limits.unreachedKeptMs)
  t.equal(reached(), 1, 'the wires of a holding end with the holding')
  siblings.unwired()
  clock.pass(limits.unreachedKeptMs)
  t.equal(reached(), 0, 'and all with the engine')
})

t.test('of siblings, those of the own site count, and children are none', async (t) => {
  const { clock, siblings, dialled } = stage()
  siblings.wired(payload, 'far', 'near')
  t.equal(siblings.now().reached, 1, 'nothing else is known')
  siblings.wired(payload, 'far', 'elsewhere')
  siblings.wired(payload, 'child', 'near')
  dialled('farther', 'x', null, true)
  t.equal(siblings.now().reached, 0)
  dialled('farthest', 'x', 'no answer', true)
  dialled('a', 'x', 'no answer')
  t.same(
    nearIn(siblings.now().unreached).map(({ node }) => node),
    ['a'],
  )
  t.equal(siblings.now().unreached.length, 2, 'the tracker is told of all')
  clock.pass(limits.unreachedKeptMs)
  t.same(siblings.now(), { reached: 0, unreached: [] })
})

t.test('more siblings than an announce can name are dialled once, and cause no announce each', async (t) => {
  const { clock, siblings, dialled, unreached, changes } = stage()
  let given: string[] = []
  let dials = 0
  const control = createEngineControl({
    ...{ siblings, handouts: createHandouts(), settings: { rates: unlimited, revoked: [] } },
    ...{ keeper: noKeeper, tls: () => ({ key: '', certificate: '', ca: '' }), moved: () => noCounters },
    dispatch: (event) => {
      if (event.kind === 'handed-out') given = event.peers.map(({ node }) => node)
    },
  })
  const peers = Array.from({ length: 200 }, (_, index) => ({
    ...{ node: `far${index}`, address: `10.0.${index}.1`, port: 7421 },
    ...{ relation: 'sibling' as const, site: `site-${index}` },
  }))
  // Each time the tracker hands out again whom the announce did not name.
  for (let turn = 0; turn < 10; turn += 1) {
    const named = new Set(unreached())
    const handout = peers.filter(({ node }) => !named.has(node)).slice(0, limits.peersPerHandoutMax)
    given = []
    control.setPeers(payload, handout)
    dials += given.length
    for (const peer of peers) if (given.includes(peer.node)) dialled(peer.node, placeOf(peer), 'no answer', true)
  }
  t.ok(dials <= peers.length, `${dials} dials`)
  t.equal(changes(), 0, 'who is at another site is told with the next announce')
  const before = unreached()
  given = []
  control.setPeers(payload, peers.slice(0, 50))
  t.same(given, [], 'nobody is dialled twice')
  t.same(unreached(), before)
  dialled('near', 'x', 'no answer')
  t.equal(changes(), 1)
  for (let index = 0; index < 100; index += 1) dialled(`f${index}`, 'x', 'no answer', true)
  t.ok(unreached().includes('near'), 'those of the own site are named first')
  for (let index = 0; index < 500; index += 1) dialled(`n${index % 250}`, 'x', 'no answer')
  t.ok(changes() <= limits.unreachedMax, `${changes()} announces`)
  clock.pass(limits.unreachedKeptMs)
  control.setPeers(payload, peers.slice(50, 90))
  t.equal(given.length, 40, 'after a while they are dialled anew')
})

const noKeeper: EngineKeeper = {
  kind: () => 'none',
  need: () => {},
  send: () => {},
  take: () => {},
  callersWaiting: () => 0,
  starts: () => 0,
  stop: async () => {},
}
