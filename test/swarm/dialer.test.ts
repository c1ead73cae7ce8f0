// Whom an engine dials, and how often.

import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { createSuspectAddresses } from '../../src/swarm/callers/suspect-addresses.ts'
import { createCallers } from '../../src/swarm/engine/callers.ts'
import { startDialer } from '../../src/swarm/engine/dialer.ts'
import { createUses } from '../../src/swarm/engine/idle-links.ts'
import type { Link } from '../../src/swarm/engine/link.ts'
import type { PeerToDial } from '../../src/swarm/engine.ts'
import { createLanes } from '../../src/work/lanes.ts'
import { handClock } from '../tracker/hand-clock.ts'
import { createSimulation } from '../world/simulation.ts'

t.test('names are looked up for nobody but the parent, whose address is from our own settings', async (t) => {
  const { dialer, dialled } = dialling()
  const siblings = ['evil.example', '', 'localhost', '10.0.0.1:80', '0x7f000001', '10.0.0.2', 'fe80::1']
  dialer.setPeers([
    ...siblings.map((address) => meeting(`at ${address}`, address)),
    { ...meeting('up', 'up.example'), relation: 'parent' },
  ])
  t.same(
    dialled.map(({ address }) => address),
    ['10.0.0.2', 'fe80::1', 'up.example'],
  )
})

t.test('only so many peers of one swarm are dialled', async (t) => {
  const { dialer, dialled } = dialling()
  dialer.setPeers(Array.from({ length: 1000 }, (_, i) => meeting(`node-${i}`)))
  t.equal(dialled.length, limits.peersPerHandoutMax + 1)
})

t.test('who cannot be reached keeps nothing busy for long, and only the parent is tried often', async (t) => {
  const { dialer, dialled, simulation } = dialling()
  dialer.setPeers([meeting('gone'), { ...meeting('up'), relation: 'parent' }])
  t.ok(dialer.isBusy())
  await simulation.run({ forMs: 20 * limits.retryCeilingMs })
  t.notOk(dialer.isBusy())
  dialled.length = 0
  await simulation.run({ forMs: 20 * limits.retryCeilingMs })
  const siblings = dialled.filter(({ relation }) => relation === 'sibling').length
  t.ok(siblings >= 1 && siblings <= 5, `a sibling: ${siblings} times`)
  t.ok(dialled.length - siblings >= 19, 'the parent: at least once a minute')
})

t.test('a peer that moved is dialled where it is now, whatever becomes of the older attempt', async (t) => {
  const attempts: { meeting: PeerToDial; resolve: (name: string) => void; reject: (error: Error) => void }[] = []
  const { dialer, connected, discarded } = dialling((meeting) => {
    return new Promise((resolve, reject) => attempts.push({ meeting, resolve, reject }))
  })
  dialer.setPeers([meeting('mover', '10.0.0.2')])
  dialer.setPeers([meeting('mover', '10.0.0.3')])
  attempts[0]?.reject(new Failure('unreachable', 'gone'))
  await new Promise((resolve) => setImmediate(resolve))
  attempts[1]?.resolve('here')
  await new Promise((resolve) => setImmediate(resolve))
  t.same([connected, discarded], [['here'], []])
})

t.test(
  'a peer that moved is dialled although there is a wire to where it was, and one that did not is not',
  async (t) => {
    const { dialer, dialled } = dialling(
      async () => 'here',
      new Map(),
      (_, hasMoved) => !hasMoved,
    )
    const others = ['10.0.0.3']
    dialer.setPeers([meeting('mover', '10.0.0.2')])
    dialer.setPeers([{ ...meeting('mover', '10.0.0.2'), others }])
    dialer.setPeers([meeting('mover', '10.0.0.3')])
    t.same(dialled, [], 'it was told to be at this address, too')
    dialer.setPeers([meeting('mover', '10.0.0.4')])
    t.same(
      dialled.map(({ address }) => address),
      ['10.0.0.4'],
    )
  },
)

t.test('who is banned is dialled when that is over, and keeps nothing busy meanwhile', async (t) => {
  const bans = new Map([['mallory', Number.POSITIVE_INFINITY]])
  const { dialer, dialled, simulation } = dialling(async () => 'here', bans)
  bans.set('mallory', simulation.now() + limits.banFirstMs)
  dialer.setPeers([meeting('mallory')])
  t.notOk(dialer.isBusy())
  await simulation.run({ forMs: limits.banFirstMs - 1 })
  t.equal(dialled.length, 0)
  await simulation.run({ forMs: 2 })
  t.equal(dialled.length, 1)
})

t.test('a connection of which nothing came is made again', async (t) => {
  const { dialer, dialled, simulation, refuseAll } = dialling(async () => 'here')
  refuseAll()
  dialer.setPeers([meeting('full')])
  await simulation.run({ forMs: 10 * limits.retryFirstMs })
  t.ok(dialled.length > 2 && dialled.length < 10, `${dialled.length} times`)
})

t.test('dials wait for their turn, the parent first, and those that nobody needs are left out', async (t) => {
  const lanes = createLanes(2)
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const run = (name: string, { first = false, isNeeded = true } = {}) => {
    const work = () => {
      started.push(name)
      return new Promise<void>((resolve) => ends.set(name, resolve))
    }
    return lanes.run(work, { first, isNeeded: () => isNeeded })
  }
  const all = [
    run('a'),
    run('b'),
    run('c'),
    run('stale', { isNeeded: false }),
    run('d'),
    run('parent', { first: true }),
  ]
  const refused = t.rejects(all[3] ?? Promise.resolve(), { code: 'refused' })
  t.same(started, ['a', 'b'])
  for (const name of ['a', 'parent', 'c', 'b', 'd']) {
    ends.get(name)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await refused
  await Promise.all(all.filter((_, i) => i !== 3))
  t.same(started, ['a', 'b', 'parent', 'c', 'd'])
})

t.test('an address has only so many callers, and fewer of whom nothing is known', async (t) => {
  const callers = createCallers<number>()
  const enter = (from: number, count: number, address: string) => {
    return Array.from({ length: count }, (_, i) => i + from).filter((caller) => callers.enter(caller, address))
  }
  const first = enter(0, limits.handshakesPerAddressMax + 10, 'crowd')
  t.equal(first.length, limits.handshakesPerAddressMax)
  t.ok(callers.enter(1_000_000, 'another'))
  for (const caller of first) callers.introduced(caller)
  t.equal(enter(10_000, 10, 'crowd').length, 10, 'who is known leaves room')
  for (let from = 20_000; from < 40_000; from += 1_000)
    for (const caller of enter(from, 100, 'crowd')) callers.introduced(caller)
  t.notOk(callers.enter(2_000_000, 'crowd'))
  for (const caller of first) callers.left(caller)
  t.ok(callers.enter(2_000_000, 'crowd'))
})

t.test('an address is doubted after some strangers in a row, for a while, until somebody known calls', async (t) => {
  const simulation = createSimulation()
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const doubts = createSuspectAddresses({ clock })
  const strangers = (count: number, address = 'there') => {
    for (let i = 0; i < count; i += 1) doubts.called(address, false)
    return doubts.has(address)
  }
  t.notOk(strangers(limits.strangersInARowMax - 1))
  doubts.called('there', true)
  t.notOk(strangers(limits.strangersInARowMax - 1))
  t.ok(strangers(1))
  t.notOk(doubts.has('elsewhere'))
  await simulation.run({ forMs: limits.strangerDoubtedMs + 1 })
  t.notOk(doubts.has('there'))
  t.ok(strangers(1), 'one more is enough now')
  for (let i = 0; i < limits.callersKnownMax; i += 1) doubts.called(`address ${i}`, false)
  t.notOk(doubts.has('there'), 'only so many addresses are kept in mind')
})

function meeting(node: string, address = '10.0.0.9'): PeerToDial {
  return { node, address, port: 7000, relation: 'sibling', elsewhere: null }
}

t.test('a link that nobody used is not dialled again at once, but when there is a reason', async (t) => {
  const { dialer, dialled, simulation } = dialling(async (meeting) => meeting.node)
  const names = () => dialled.splice(0).map(({ node }) => node)
  const reached = async () => {
    await simulation.run({ forMs: 1 })
    return names()
  }
  dialer.setPeers([meeting('idle'), meeting('busy')])
  t.same(await reached(), ['idle', 'busy'])
  dialer.rested('idle')
  t.notOk(dialer.isBusy(), 'it keeps no engine running')
  await simulation.run({ forMs: limits.wireIdleMs })
  t.same(names(), [])
  dialer.setPeers([meeting('idle'), meeting('busy')])
  t.same(await reached(), [], 'the same handout is no reason')
  dialer.wake()
  t.same(await reached(), ['idle'], 'a rate that has changed is one')
  dialer.rested('idle')
  dialer.lost('busy', true)
  t.same(await reached(), ['idle'], 'so is another link that has ended')
  dialer.rested('idle')
  dialer.setPeers([meeting('idle', '10.0.0.77'), meeting('busy')])
  t.ok((await reached()).includes('idle'), 'so is another place')
  dialer.rested('idle')
  await simulation.run({ forMs: limits.siblingRetryCeilingMs + limits.retryCeilingMs })
  t.ok(names().includes('idle'), 'and it is not forgotten')
  dialer.stop()
})

t.test('a link is unused if one end has what the other lacks, and nothing came or went for long', async (t) => {
  const clock = handClock()
  const uses = createUses(clock)
  const link = { has: Uint8Array.of(1, 0) } as Link
  const has = (mine: number[]) => (piece: number) => mine[piece] === 1
  uses.used(link)
  clock.pass(limits.wireIdleMs - 1)
  t.notOk(uses.isUnused(link, has([1, 1])))
  clock.pass(1)
  t.ok(uses.isUnused(link, has([1, 1])), 'it takes nothing')
  t.ok(uses.isUnused(link, has([0, 0])), 'nothing is asked of it')
  t.notOk(uses.isUnused(link, has([1, 0])), 'it may get more')
  uses.used(link)
  t.notOk(uses.isUnused(link, has([1, 1])))
})

function dialling(
  dial?: (meeting: PeerToDial) => Promise<string>,
  bannedUntilMs = new Map<string, number>(),
  isSettled = (_node: string, _hasMoved: boolean) => false,
) {
  const simulation = createSimulation()
  const { clock, random } = simulation.node({ address: '10.0.0.1' }).world
  const [dialled, connected, discarded]: [PeerToDial[], string[], string[]] = [[], [], []]
  let isRefused = false
  const refuseAll = () => {
    isRefused = true
  }
  const dialer = startDialer<string>({
    ...{ clock, random },
    dial: async (meeting) => {
      dialled.push(meeting)
      if (dial !== undefined) return dial(meeting)
      throw new Failure('unreachable', 'nobody is there')
    },
    isSettled,
    bannedForMs: (node) => Math.max(0, (bannedUntilMs.get(node) ?? 0) - simulation.now()),
    onConnection: (connection) => {
      connected.push(connection)
      return !isRefused
    },
    discard: (connection) => discarded.push(connection),
    onFailure: () => {},
    onChange: () => {},
  })
  return { simulation, dialer, dialled, connected, discarded, refuseAll }
}
