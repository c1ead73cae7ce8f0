import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createTable } from '../../src/tracker/table.ts'
import { announceOf, infoHashOf, manifestOf, peersIn, siblingsIn, subtree, swarmOf } from './subtree.ts'

const wantedOf = (...indexes: number[]) =>
  indexes.map((index) => ({ infoHash: infoHashOf(index), manifest: manifestOf(index) }))

t.test('the parent learns what its children lack, and when that changes', async (t) => {
  const { tracker, announce, changes } = subtree()
  announce('a', announceOf([swarmOf(2, 'none'), swarmOf(1, 'some'), swarmOf(3, 'all')]))
  t.same(tracker.wanted(), wantedOf(1, 2))
  t.equal(changes(), 1)
  announce('b', announceOf([swarmOf(2, 'none')]))
  announce('a', announceOf([swarmOf(2, 'some'), swarmOf(1, 'some'), swarmOf(3, 'all')]))
  t.equal(changes(), 1, 'a child more, or a piece more, is no change')
  announce('a', announceOf([swarmOf(2, 'all'), swarmOf(1, 'all')]))
  t.same(tracker.wanted(), wantedOf(2))
  announce('b', announceOf([]))
  t.same(tracker.wanted(), [])
  t.equal(changes(), 3)
})

t.test('what the parent starts to want because of an announce is in its answer', async (t) => {
  const held = new Set<string>()
  const { announce } = subtree({
    holds: (infoHash) => (held.has(infoHash) ? 'none' : undefined),
    onWantedChanged: (wanted) => {
      for (const { infoHash } of wanted) held.add(infoHash)
    },
  })
  t.same(
    peersIn(announce('a', announceOf([swarmOf(1, 'none')])), 1).map((peer) => peer.node),
    ['parent'],
  )
})

t.test('two children that name different manifests for one info hash are both heard', async (t) => {
  const { tracker, announce } = subtree()
  announce('a', announceOf([{ infoHash: infoHashOf(1), manifest: manifestOf(2), have: 'none' }]))
  announce('b', announceOf([{ infoHash: infoHashOf(1), manifest: manifestOf(1), have: 'none' }]))
  t.same(tracker.wanted(), [
    { infoHash: infoHashOf(1), manifest: manifestOf(1) },
    { infoHash: infoHashOf(1), manifest: manifestOf(2) },
  ])
  announce('a', announceOf([{ infoHash: infoHashOf(1), manifest: manifestOf(1), have: 'none' }]))
  t.same(tracker.wanted(), wantedOf(1))
})

t.test('a child that falls silent is forgotten without anybody asking', async (t) => {
  const { tracker, announce, clock, changes } = subtree()
  announce('a', announceOf([swarmOf(1, 'none'), swarmOf(2, 'none')]))
  clock.pass(limits.peerForgottenAfterMs / 2)
  announce('b', announceOf([swarmOf(1, 'none')]))
  clock.pass(limits.peerForgottenAfterMs / 2 - 1)
  t.same(tracker.wanted(), wantedOf(1, 2))
  clock.pass(1)
  t.same(tracker.wanted(), wantedOf(1), 'the other one is remembered')
  clock.pass(limits.peerForgottenAfterMs)
  t.same(tracker.wanted(), [])
  t.equal(changes(), 3)
  t.equal(clock.waiting(), 0, 'no timer without members')
  t.same(siblingsIn(announce('c', announceOf([swarmOf(1, 'none')])), 1), [])
})

t.test('a child that leaves a swarm is not handed out there any more', async (t) => {
  const { announce } = subtree()
  announce('a', announceOf([swarmOf(1, 'all'), swarmOf(2, 'all')]))
  announce('a', announceOf([swarmOf(2, 'all')]))
  const handout = announce('b', announceOf([swarmOf(1, 'none'), swarmOf(2, 'none')]))
  t.same(siblingsIn(handout, 1), [])
  t.same(siblingsIn(handout, 2), ['a'])
})

t.test('a member is known by its announce and by where its connection comes from', async (t) => {
  const table = createTable()
  const now = { parentSite: 'here', nowMs: 0, draw: 1 }
  const announce = announceOf([swarmOf(1, 'all'), swarmOf(2, 'some')], { site: 'berlin', swarmPort: 9 })
  t.match(table.put({ node: 'a', address: '10.0.0.1', announce }, now), {
    ...{ node: 'a', address: '10.0.0.1', port: 9, site: 'berlin', missing: 1 },
    infoHashes: [infoHashOf(1), infoHashOf(2)],
  })
  t.match(table.put({ node: 'b', address: '2001:db8::2', announce: announceOf([]) }, now), {
    ...{ node: 'b', address: '2001:db8::2', port: 7421, site: '2001-db8-0-0/64', missing: 0 },
    infoHashes: [],
  })
})

t.test('a node is not its own child', async (t) => {
  const { announce } = subtree()
  t.throws(() => announce('parent', announceOf([])), { name: 'Failure', code: 'conflict' })
})

t.test('a stopped tracker leaves no timer behind', async (t) => {
  const { tracker, announce, clock } = subtree()
  announce('a', announceOf([]))
  tracker.stop()
  t.equal(clock.waiting(), 0)
})

t.test('beyond its limits a table remembers nobody more, and answers all the same', async (t) => {
  const table = createTable()
  const put = (node: string, announce = announceOf([])) =>
    table.put({ node, address: '10.0.0.1', announce }, { parentSite: 'here', nowMs: 0, draw: 1 })
  for (let index = 0; index < limits.trackerMembersMax; index += 1) put(`n${index}`)
  t.equal(put('late', announceOf([swarmOf(1, 'none')])).missing, 1)
  t.equal(table.size(), limits.trackerMembersMax)
  t.same(table.wanted(), [])

  const many = announceOf(Array.from({ length: limits.announceSwarmsMax }, (_, index) => swarmOf(index, 'none')))
  const remembered = Array.from({ length: 30 }, (_, index) => put(`n${index}`, many).infoHashes.length)
  t.equal(
    remembered.reduce((sum, each) => sum + each, 0),
    limits.trackerMembershipsMax,
  )
  t.equal(put('n0').infoHashes.length, 0)
  t.equal(put('n29', many).infoHashes.length, limits.announceSwarmsMax, 'room that is given back is used again')
})

t.test('a child learns whether its parent gives objects to the sibling that brings them', (t) => {
  let gives: string[] = []
  const { announce } = subtree({ isGiving: (node) => gives.includes(node) })
  const told = announceOf([], { controlPort: 7420, site: 'far' })
  t.equal(announce('a', told, '10.1.0.1').objects, undefined)
  t.same(announce('b', told, '10.1.0.2').objects, { node: 'a', address: '10.1.0.1', port: 7420, fetching: false })
  gives = ['a']
  t.equal(announce('b', told, '10.1.0.2').objects?.fetching, true)
  t.end()
})

t.test('the sibling that brings objects is named with all of its addresses', (t) => {
  const { announce } = subtree()
  const told = (address: string) =>
    announceOf([], { controlPort: 7420, site: 'far', addresses: [address, '192.168.1.9'] })
  announce('a', told('192.168.1.5'), '198.51.100.7')
  t.same(announce('b', told('192.168.1.6'), '198.51.100.7').objects, {
    ...{ node: 'a', address: '192.168.1.5', others: ['198.51.100.7'], port: 7420 },
  })
  t.end()
})
