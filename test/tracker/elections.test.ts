// What a tracker tells children of a site across a link.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Announce } from '../../src/model/wire/announce.ts'
import type { Unkept } from '../../src/tracker/tracker.ts'
import { announceOf, type Have, infoHashOf, peersIn, siblingsIn, subtree, swarmOf } from './subtree.ts'

const ofSite = (site: string | null, have: Have = 'none', bytes?: number, from?: Record<string, number>): Announce => {
  const sent = Object.entries(from ?? {}).map(([node, bytes]) => ({ node, bytes }))
  const swarm = { ...swarmOf(1, have), ...(bytes !== undefined && { bytes }), ...(from && { from: sent }) }
  return announceOf([swarm], { site })
}

function berlin(options: Parameters<typeof subtree>[0] = {}) {
  const tree = subtree({ holds: () => 'all', ...options })
  const say = (node: string, announce = ofSite('berlin')) => tree.announce(node, announce)
  const takes = (node: string, announce?: Announce) => peersIn(say(node, announce), 1, 'parent').length === 1
  return { ...tree, say, takes }
}

t.test('of each site across a link one child is sent to the parent, and of the own site all', async (t) => {
  const { takes, tracker } = berlin()
  const told = [1, 2].map(() =>
    ['berlin', 'oslo', 'here'].map((site) => ['a', 'b', 'c'].map((name) => takes(`${site}-${name}`, ofSite(site)))),
  )
  const wanted = [
    [true, false, false],
    [true, false, false],
    [true, true, true],
  ]
  t.same(told, [wanted, wanted])
  for (const [node, may] of Object.entries({ 'berlin-a': true, 'berlin-b': false, 'here-c': true, unheard: true })) {
    t.equal(tracker.mayTake(infoHashOf(1), node), may, node)
  }
})

t.test('who is not gateway meets nobody at other sites, and gateways meet each other', async (t) => {
  const { say } = berlin()
  for (const node of ['a', 'b']) say(node)
  for (const node of ['x', 'y']) say(node, ofSite('oslo'))
  t.same(siblingsIn(say('b'), 1), ['a'])
  t.same(siblingsIn(say('x', ofSite('oslo')), 1), ['a'])
  t.same(siblingsIn(say('y', ofSite('oslo')), 1), ['x'])
})

t.test('each payload has its own gateway, and a node may be it for one and not for another', async (t) => {
  const { tracker, say } = berlin()
  say('a', announceOf([swarmOf(1, 'none')], { site: 'berlin' }))
  say('b', announceOf([swarmOf(1, 'none'), swarmOf(2, 'none')], { site: 'berlin' }))
  say('a', announceOf([swarmOf(1, 'none'), swarmOf(2, 'none')], { site: 'berlin' }))
  const may = (node: string) => [1, 2].map((index) => tracker.mayTake(infoHashOf(index), node))
  t.same(
    [may('a'), may('b')],
    [
      [true, false],
      [false, true],
    ],
  )
})

t.test('a gateway whose wire ends is replaced at once by the sibling with most', async (t) => {
  const { tracker, takes } = berlin()
  t.ok(takes('a'))
  t.notOk(takes('b', ofSite('berlin', 'some', 10)))
  t.notOk(takes('c', ofSite('berlin', 'some', 20)))
  tracker.parted(infoHashOf(1), 'b')
  t.ok(takes('a'), 'the wire of another one means nothing')
  tracker.parted(infoHashOf(1), 'a')
  t.notOk(tracker.mayTake(infoHashOf(1), 'a'))
  t.notOk(takes('b', ofSite('berlin', 'some', 10)))
  t.ok(takes('c', ofSite('berlin', 'some', 20)))
  t.notOk(takes('a'))
})

t.test('a gateway that does not announce in time is replaced by whoever does, and its wire cut', async (t) => {
  const relieved: string[] = []
  const { clock, takes } = berlin({ onRelieved: (_, node) => relieved.push(node) })
  t.ok(takes('a'))
  for (let passed = 0; passed < limits.announceLateIntervals; passed += 1) {
    t.notOk(takes('b'))
    clock.pass(limits.announceBusyIntervalMs)
  }
  t.notOk(takes('b'), 'not before')
  clock.pass(1)
  t.same(relieved, [])
  t.ok(takes('b'))
  t.same(relieved, ['a'])
  t.notOk(takes('a'), 'and it stays replaced')
})

t.test('when the gateway has all, the others are sent to it and not to the parent', async (t) => {
  const relieved: string[] = []
  const { say, takes } = berlin({ onRelieved: (_, node) => relieved.push(node) })
  for (const node of ['a', 'b']) say(node)
  say('a', announceOf([], { site: 'berlin' }))
  t.ok(takes('b'), 'who has left it is no gateway')
  say('a', ofSite('berlin', 'all'))
  t.ok(takes('b'), 'anybody could say that')
  t.notOk(takes('b', ofSite('berlin', 'some', 10, { a: 9 })), 'once it takes from there itself')
  t.same(relieved, ['b'])
  t.same(siblingsIn(say('b', ofSite('berlin', 'some', 20, { a: 19 })), 1), ['a'])
  t.notOk(takes('late'))
})

t.test('a parent whose site nobody has said is where its children reach it', async (t) => {
  const { tracker } = subtree({ site: null, holds: () => 'all' })
  const announce = (node: string, address: string, announced: Announce, reachedAt = '10.0.9.9') =>
    peersIn(tracker.announce({ node, address, reachedAt, announce: announced }), 1, 'parent')
  const siteless = ofSite(null)
  t.match(announce('near-a', '10.0.9.1', siteless), [{ site: '10.0.9.0/24' }])
  t.equal(announce('near-b', '::ffff:10.0.9.2', siteless).length, 1)
  t.equal(announce('far-a', '10.0.0.1', siteless).length, 1)
  t.equal(announce('far-b', '10.0.0.2', siteless).length, 0)
  t.equal(announce('named-a', '10.0.9.3', ofSite('berlin')).length, 1)
  t.equal(announce('named-b', '10.0.9.4', ofSite('berlin')).length, 0, 'a name of its own is another site')
  t.equal(announce('local', '127.0.0.1', siteless, '127.0.0.1').length, 1)
})

t.test('a site whose link waits for its gateway gets one more, and each is told its share', async (t) => {
  const { clock, say } = berlin()
  const step = 1000
  let now = { payload: 1, bytes: 0 }
  /**
   * All at the site have what has come so far; returns whom of them the parent is handed out to,
   * and how.
   */
  const comes = (payload: number, seconds: number, bytesPerSecond: number) => {
    if (now.payload !== payload) now = { payload, bytes: 0 }
    let told: unknown[] = []
    for (let passed = 0; passed < seconds * 1000; passed += step) {
      clock.pass(step)
      now.bytes += (bytesPerSecond * step) / 1000
      told = ['a', 'b', 'c'].map((node) => {
        const sender = { node: node === 'a' ? 'b' : 'a', bytes: now.bytes / 2 }
        const swarm = { ...swarmOf(payload, 'some'), bytes: now.bytes, from: [sender] }
        const [parent] = peersIn(say(node, announceOf([swarm], { site: 'berlin' })), payload, 'parent')
        return parent === undefined ? null : (parent.share ?? 'all')
      })
    }
    return told
  }
  t.same(comes(1, 20, 1_000_000), ['all', null, null])
  clock.pass(limits.gatewayMeasureMs * 2)
  t.same(comes(2, 8, 400_000), ['all', null, null])
  t.same(comes(2, 2, 400_000), [{ of: 2, which: 0 }, { of: 2, which: 1 }, null])
  t.same(comes(2, 10, 410_000), [{ of: 2, which: 0 }, { of: 2, which: 1 }, null], 'which stay, although it was in vain')
  clock.pass(limits.gatewayMeasureMs * 2)
  t.same(comes(3, 20, 400_000), ['all', null, null], 'and for the next payload it is known')
})

t.test('what a child brings along when it joins or comes from another site says nothing of the link', async (t) => {
  const { clock, say } = berlin()
  const brought = 1_000_000
  let came = 0
  const comes = (seconds: number, guest?: string) => {
    for (let passed = 0; passed < seconds; passed += 1) {
      clock.pass(1000)
      came += 1000
      for (const [node, other] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const) {
        say(node, ofSite('berlin', 'some', came, { [other]: came / 2 }))
      }
      if (guest !== undefined) say(guest, ofSite('berlin', 'some', brought + came))
    }
    // Of several gateways each is told its share.
    return ['a', 'b'].map((node) =>
      peersIn(say(node, ofSite('berlin', 'some', came)), 1, 'parent').map((peer) => peer.share),
    )
  }
  say('mover', ofSite('oslo', 'some', brought))
  t.same(comes(20), [[undefined], []])
  t.same(comes(40, 'late'), [[undefined], []], 'who joins late with much')
  t.same(comes(40, 'mover'), [[undefined], []], 'who was at another site')
})

t.test('a gateway that goes to another site is none there, and its site gets another one', async (t) => {
  const { say, takes, tracker } = berlin()
  const may = (...nodes: string[]) => nodes.map((node) => tracker.mayTake(infoHashOf(1), node))
  for (const node of ['a', 'b']) say(node)
  t.ok(takes('x', ofSite('oslo')))
  t.notOk(takes('a', ofSite('oslo')))
  t.same(may('a', 'b', 'x'), [false, false, true])
  t.ok(takes('b'))
  t.notOk(takes('a'), 'and does not become it again by coming back')
  t.same(may('a', 'b', 'x'), [false, true, true])
  for (const site of ['oslo', 'rome', 'here', 'berlin', 'oslo']) say('b', ofSite(site))
  t.ok(takes('a'), 'whoever hops about is gateway nowhere')
  t.same(may('a', 'b', 'x'), [true, false, true])
})

t.test('siblings that cannot reach each other take from the parent, each with its own first pieces', async (t) => {
  const { say, takes, tracker } = berlin()
  const apart = (...unreached: string[]) => ({ ...ofSite('berlin'), unreached })
  t.ok(takes('a'))
  t.notOk(takes('b', apart()))
  t.ok(takes('b', apart('a')), 'as soon as a dial was in vain')
  t.notOk(takes('c', apart('a')), 'whoever reaches one of them gets it from that one')
  t.ok(takes('d', apart('a', 'b', 'c')))
  t.ok(tracker.mayTake(infoHashOf(1), 'a'), 'who was gateway stays gateway')
  const shares = ['a', 'b', 'd'].map((node) => {
    const lists: Record<string, string[]> = { a: [], b: ['a'], d: ['a', 'b', 'c'] }
    return peersIn(say(node, apart(...(lists[node] ?? []))), 1, 'parent')[0]?.share
  })
  t.same(
    shares,
    [0, 1, 2].map((which) => ({ of: 3, which })),
  )
})

t.test('a sibling that was dialled in vain dials itself, and neither dials when that is in vain too', async (t) => {
  const { say } = berlin()
  say('a')
  t.same(siblingsIn(say('b'), 1), ['a'], 'the late-comer dials')
  t.same(siblingsIn(say('b', { ...ofSite('berlin'), unreached: ['a'] }), 1), [])
  t.same(siblingsIn(say('a'), 1), ['b'])
  t.same(siblingsIn(say('a', { ...ofSite('berlin'), unreached: ['b'] }), 1), [])
  t.same(siblingsIn(say('b', { ...ofSite('berlin'), unreached: ['a'] }), 1), [])
})

t.test('a node that meets nobody has a circle of its own, however many siblings there are', async (t) => {
  const { takes } = berlin()
  for (let index = 0; index < 100; index += 1) takes(`n${index}`)
  t.ok(takes('alone', { ...ofSite('berlin'), unreached: ['n1', 'n2', 'n3'], alone: true }))
  t.notOk(takes('other', { ...ofSite('berlin'), unreached: ['n1', 'n2', 'n3'] }))
})

t.test('of very many circles each is decided soon, and that of who announces at once', async (t) => {
  const { takes, clock, tracker } = berlin()
  const alone = { ...ofSite('berlin'), unreached: ['x', 'y', 'z'], alone: true as const }
  const count = limits.circlesInTurnMax * 4
  for (let index = 0; index < count; index += 1) t.ok(takes(`n${index}`, alone), `n${index} takes at once`)
  clock.pass(limits.announceBusyIntervalMs * limits.announceLateIntervals + 1)
  for (let turn = 0; turn < 8; turn += 1) takes('n1', alone)
  const silent = Array.from({ length: count }, (_, index) => `n${index}`).filter((node) => node !== 'n1')
  t.notOk(silent.some((node) => tracker.mayTake(infoHashOf(1), node)))
  t.ok(tracker.mayTake(infoHashOf(1), 'n1'))
})

t.test('who says that it has all and gives nothing is told of, once two of its siblings lack it', async (t) => {
  const told: Unkept[] = []
  const { say, clock } = berlin({ onUnkept: (unkept) => void told.push(unkept) })
  const passes = (nodes: readonly string[], from?: Record<string, number>) => {
    for (let second = 0; second * 1000 <= limits.wholeUnkeptMs; second += 1) {
      say('w', ofSite('berlin', 'all'))
      for (const node of nodes) say(node, ofSite('berlin', 'some', second, from))
      clock.pass(1000)
    }
  }
  passes(['a'])
  t.same(told, [], 'one alone could say so of anybody')
  passes(['a', 'b'])
  t.same(new Set(told.map(({ kind, node }) => `${kind} ${node}`)), new Set(['gave-nothing w']))
  const honest = berlin({ onUnkept: (unkept) => void told.push(unkept) })
  told.length = 0
  for (let second = 0; second * 1000 <= limits.wholeUnkeptMs * 2; second += 1) {
    honest.say('w', ofSite('berlin', 'all'))
    honest.say('a', ofSite('berlin', 'some', second, { w: second + 1 }))
    honest.say('b', ofSite('berlin', 'some', second, { a: second + 1 }))
    honest.clock.pass(1000)
  }
  t.same(told, [], 'who gave to one of them has kept its word')
  honest.say('w', ofSite('berlin', 'none'))
  t.match(told, [{ kind: 'took-back', node: 'w' }])
})

t.test('a disk that lost a payload is no lie, and the same payload lost again and again is', async (t) => {
  const told: Unkept[] = []
  const { say, clock } = berlin({ onUnkept: (unkept) => void told.push(unkept) })
  const lost = announceOf([{ ...swarmOf(1, 'none'), lost: true }], { site: 'berlin' })
  say('a', ofSite('berlin'))
  const loses = () => {
    say('w', ofSite('berlin', 'all'))
    say('w', lost)
  }
  loses()
  t.same(told, [])
  loses()
  t.match(told, [{ kind: 'took-back', node: 'w' }])
  told.length = 0
  clock.pass(limits.payloadLostAgainMs)
  loses()
  t.same(told, [], 'a disk may fail twice')
})

t.test('a child is counted to the site that its signed report names', async (t) => {
  const { say } = berlin({ signedSite: (node) => (node === 'hopper' ? 'rome' : undefined) })
  t.equal(say('hopper', ofSite('oslo')).site, 'rome')
  t.equal(say('hopper', ofSite(null)).site, '10.0.0.0/24', 'unless it names none')
  t.equal(say('unheard', ofSite('oslo')).site, 'oslo', 'or has not reported')
})

t.test('what a child may not want its parent does not want for it', async (t) => {
  const { say, tracker } = berlin({ mayWant: (node) => node !== 'liar' })
  say('liar', announceOf([swarmOf(1, 'none'), swarmOf(2, 'some')], { site: 'berlin' }))
  t.same(tracker.wanted(), [])
  t.same(siblingsIn(say('honest', ofSite('berlin')), 1), ['liar'], 'but meets its siblings')
  t.same(
    tracker.wanted().map(({ infoHash }) => infoHash),
    [infoHashOf(1)],
  )
  say('honest', ofSite('berlin', 'all'))
  t.same(tracker.wanted(), [])
})

t.test('slow is not stuck: a gateway stays while bytes come, also before the first piece is whole', async (t) => {
  const { clock, say, takes, tracker } = berlin()
  const coming = (overLink: number) => announceOf([{ ...swarmOf(1, 'none'), overLink }], { site: 'berlin' })
  t.ok(takes('a'))
  t.notOk(takes('b'))
  for (let second = 1; second <= 120; second += 1) {
    clock.pass(1000)
    say('a', coming(second * 2_000))
    say('b')
  }
  t.same(
    ['a', 'b'].map((node) => tracker.mayTake(infoHashOf(1), node)),
    [true, false],
  )
  // A parent that only keeps it waiting sends signs of life.
  for (let second = 1; second <= 120; second += 1) {
    clock.pass(1000)
    say('a', coming(240_000 + second * 5))
    say('b')
  }
  t.same(
    ['a', 'b'].map((node) => tracker.mayTake(infoHashOf(1), node)),
    [false, true],
  )
})
