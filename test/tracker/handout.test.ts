import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { announceOf, infoHashOf, peersIn, siblingsIn, subtree, swarmOf } from './subtree.ts'

t.test('a child is sent to its parent as soon as the parent is fetching', async (t) => {
  const held = new Map([
    [infoHashOf(1), 'none' as const],
    [infoHashOf(2), 'all' as const],
  ])
  const { announce } = subtree({ holds: (infoHash) => held.get(infoHash) })
  const handout = announce('a', announceOf([swarmOf(1, 'none'), swarmOf(2, 'some'), swarmOf(3, 'none')]))
  const parent = { node: 'parent', address: null, port: 7421, relation: 'parent', site: 'here' }
  t.same(peersIn(handout, 1), [parent])
  t.same(peersIn(handout, 2), [parent])
  t.notOk(infoHashOf(3) in handout.swarms, 'what the parent does not hold, it does not offer')
})

t.test('a child that has all is sent to a parent that has not, and to nobody else', async (t) => {
  const { announce } = subtree({ holds: (infoHash) => (infoHash === infoHashOf(1) ? 'some' : 'all') })
  announce('a', announceOf([swarmOf(1, 'none'), swarmOf(2, 'none')]))
  const handout = announce('b', announceOf([swarmOf(1, 'all'), swarmOf(2, 'all')]))
  t.same(
    peersIn(handout, 1).map((peer) => peer.node),
    ['parent'],
  )
  t.same(Object.keys(handout.swarms), [infoHashOf(1)])
})

t.test('a late-comer dials those who are there, at the address that the tracker sees', async (t) => {
  const { announce } = subtree()
  t.same(siblingsIn(announce('a', announceOf([swarmOf(1, 'none')]), '10.0.0.1'), 1), [])
  const handout = announce('b', announceOf([swarmOf(1, 'none')], { site: 'berlin' }), '::ffff:10.0.1.2')
  t.same(peersIn(handout, 1), [
    { node: 'a', address: '10.0.0.1', port: 7421, relation: 'sibling', site: '10.0.0.0/24' },
  ])
  t.equal(handout.site, 'berlin')
  t.same(siblingsIn(announce('a', announceOf([swarmOf(1, 'none')]), '10.0.0.1'), 1), [], 'who is dialled need not dial')
})

t.test('a child that misses pieces dials a seed that came after it', async (t) => {
  const { announce } = subtree()
  announce('a', announceOf([swarmOf(1, 'some')]))
  t.same(siblingsIn(announce('b', announceOf([swarmOf(1, 'all')])), 1), [])
  t.same(siblingsIn(announce('a', announceOf([swarmOf(1, 'some')])), 1), ['b'])
})

t.test('nobody is sent to an address that means another machine to it', async (t) => {
  const { announce } = subtree()
  announce('local', announceOf([swarmOf(1, 'none')], { site: 'here' }), '127.0.0.1')
  t.same(siblingsIn(announce('far', announceOf([swarmOf(1, 'none')], { site: 'here' }), '10.0.0.2'), 1), [])
  t.same(siblingsIn(announce('local', announceOf([swarmOf(1, 'none')], { site: 'here' }), '127.0.0.1'), 1), ['far'])
  t.same(
    siblingsIn(announce('local', announceOf([swarmOf(1, 'all')], { site: 'here' }), '127.0.0.1'), 1),
    ['far'],
    'also when it has all, since the other cannot come',
  )
  t.same(siblingsIn(announce('twin', announceOf([swarmOf(1, 'none')], { site: 'here' }), '127.0.0.1'), 1).sort(), [
    'far',
    'local',
  ])
})

t.test(
  'a seed that nobody can come to goes to those that lack something, and not to a parent that has all',
  async (t) => {
    const { announce } = subtree({ holds: () => 'all' })
    announce('far', announceOf([swarmOf(1, 'none')], { site: 'here' }), '10.0.0.2')
    const handout = announce('local', announceOf([swarmOf(1, 'all')], { site: 'here' }), '127.0.0.1')
    t.same(
      peersIn(handout, 1).map((peer) => peer.node),
      ['far'],
    )
  },
)

t.test('a node that contradicts itself within one announce is not sent to itself', async (t) => {
  const { announce } = subtree()
  t.same(announce('a', announceOf([swarmOf(1, 'all'), swarmOf(1, 'none')])).swarms, {})
  t.same(announce('a', announceOf([swarmOf(1, 'none'), swarmOf(1, 'all')])).swarms, {})
})

t.test('nobody is sent to a node without a port', async (t) => {
  const { announce } = subtree()
  announce('deaf', announceOf([swarmOf(1, 'none')], { swarmPort: 0 }))
  t.same(siblingsIn(announce('b', announceOf([swarmOf(1, 'none')])), 1), [])
  t.same(siblingsIn(announce('deaf', announceOf([swarmOf(1, 'none')], { swarmPort: 0 })), 1), ['b'])
})

t.test('a child that misses something comes back soon, one that has all later', async (t) => {
  const { announce } = subtree()
  t.equal(announce('a', announceOf([swarmOf(1, 'all'), swarmOf(2, 'some')])).intervalMs, limits.announceBusyIntervalMs)
  t.equal(announce('a', announceOf([swarmOf(1, 'all'), swarmOf(2, 'all')])).intervalMs, limits.announceIntervalMs)
  t.equal(announce('a', announceOf([])).intervalMs, limits.announceIntervalMs)
})

t.test('more children than the tracker can serve come less often', async (t) => {
  const { tracker } = subtree()
  const announce = announceOf([swarmOf(1, 'none')], { swarmPort: 0 })
  const children = limits.announcesPerSecondMax * 4
  for (let index = 1; index < children; index += 1) {
    tracker.announce({ node: `n${index}`, address: '10.0.0.1', reachedAt: '10.0.9.9', announce: announceOf([]) })
  }
  t.equal(tracker.announce({ node: 'last', address: '10.0.0.1', reachedAt: '10.0.9.9', announce }).intervalMs, 4_000)
})

t.test(
  'in a large swarm everybody gets the same few again, different ones each, a few of its own site, those with pieces first',
  async (t) => {
    const { announce } = subtree()
    const seeds = 20
    const children = 400
    // Each of the others is alone at its site, and so its gateway.
    const siteOf = (index: number) => (index % 4 === 0 ? 'here' : `site-${index}`)
    const one = (index: number) =>
      announce(`n${index}`, announceOf([swarmOf(1, index < seeds ? 'all' : 'none')], { site: siteOf(index) }))
    for (let index = 0; index < children; index += 1) one(index)

    const handouts = Array.from({ length: 50 }, (_, index) => children - 4 - 4 * index).map((index) => ({
      site: siteOf(index),
      peers: peersIn(one(index), 1),
      again: peersIn(one(index), 1),
    }))
    const times = new Map<string, number>()
    let full = 0
    for (const { site, peers, again } of handouts) {
      t.equal(peers.length, limits.peersPerHandoutMax)
      t.equal(peers.filter((peer) => peer.site === site).length, limits.nearPerHandoutMax)
      t.same(again, peers)
      for (const peer of peers) {
        times.set(peer.node, (times.get(peer.node) ?? 0) + 1)
        if (Number(peer.node.slice(1)) < seeds) full += 1
      }
    }
    const shares = { full: full / 2_500, met: times.size / children }
    t.ok(shares.full > 0.1 && shares.full < 0.5, `with pieces: ${shares.full}, a twentieth if drawn blindly`)
    t.ok(shares.met > 0.7, `handed out at all: ${shares.met}, an eighth if all got the same`)
  },
)

t.test(
  'at a site across a link everybody meets all others: what only one has would come over the link again',
  async (t) => {
    const { announce } = subtree({ site: 'here' })
    const others = 3 * limits.nearPerHandoutMax
    for (let index = 0; index < others; index += 1)
      announce(`n${index}`, announceOf([swarmOf(1, 'some')], { site: 'oslo' }))
    const handout = announce('last', announceOf([swarmOf(1, 'none')], { site: 'oslo' }))
    t.equal(peersIn(handout, 1).length, others)
  },
)

t.test('of thousands of swarms all that a node lacks are served each time', async (t) => {
  t.equal(limits.announcedUnfinishedMax, limits.handoutPeersMax / 2)
  const { tracker } = subtree({ holds: () => 'some' })
  const swarms = Array.from({ length: 2 * limits.announcedUnfinishedMax }, (_, index) =>
    swarmOf(index, index % 2 === 0 ? 'all' : 'some'),
  )
  const announced = { node: 'a', address: '10.0.0.1', reachedAt: '10.0.9.9', announce: announceOf(swarms) }
  const lacked = swarms.flatMap(({ have, infoHash }) => (have === 'all' ? [] : [infoHash]))
  for (let time = 0; time < 3; time += 1) {
    t.same(Object.keys(tracker.announce(announced).swarms).sort(), lacked.sort())
  }
})

t.test('a node with thousands of unfinished swarms gets a handout that fits its message', async (t) => {
  const { tracker } = subtree({ holds: () => 'some' })
  const swarms = Array.from({ length: limits.announceSwarmsMax }, (_, index) => swarmOf(index, 'none'))
  const announce = announceOf(swarms, { site: 'x'.repeat(63) })
  const handoutOf = (node: string) =>
    tracker.announce({ node: node.padEnd(63, '0'), address: '10.0.0.1', reachedAt: '10.0.9.9', announce })
  for (const node of ['a', 'b']) handoutOf(node)
  const handout = handoutOf('c')
  t.ok(JSON.stringify(handout).length < limits.announceMaxBytes)
  const served = Object.keys(handout.swarms)
  t.equal(served.length, limits.handoutPeersMax / 2)
  const others = Object.keys(handoutOf('c').swarms)
  t.ok(
    others.some((infoHash) => !served.includes(infoHash)),
    'others with the next announce',
  )
})
