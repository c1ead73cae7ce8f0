// Which piece is requested over which link, over plain values.

import t from 'tap'
import type { BlockRequest } from 'webtorrent'
import { limits } from '../../src/model/limits.ts'
import {
  isIdle,
  isWorkLeft,
  nearerThan,
  pieceFor,
  pieceToRestart,
  requestsToTakeOver,
} from '../../src/swarm/engine/picker/choice.ts'
import type { LinkView, SwarmView } from '../../src/swarm/engine/picker/swarm-state.ts'

const MiB = 1024 * 1024
const nowMs = 100_000

function link(
  has: number[],
  options: { [key in keyof LinkView]?: Partial<LinkView[key]> } & { elsewhere?: boolean } = {},
) {
  const { wire, elsewhere = false, ...others } = options
  return {
    ...{ has: Uint8Array.from(has), delivered: 0, askedAtMs: nowMs, busyMs: 0, vainMs: 0 },
    ...{ speed: () => MiB, share: () => undefined, isSuspect: () => false, lane: { isElsewhere: () => elsewhere } },
    ...others,
    wire: { destroyed: false, peerChoking: false, requests: [], ...wire },
  } as LinkView
}

/** All pieces are missing, and none is begun unless it is told. */
function swarm(
  links: readonly LinkView[],
  begun: Record<number, { owner?: LinkView; alone?: boolean; missing?: number }> = {},
): SwarmView {
  const count = links[0]?.has.length ?? 0
  const numbers = Object.keys(begun).map(Number)
  return {
    links: new Map(links.map((each) => [each, each])),
    pieces: Array.from({ length: count }, () => ({})),
    begun: new Map(
      numbers.map((piece) => {
        const { owner, alone = false, missing = MiB } = begun[piece] ?? {}
        return [piece, { owner, alone, buffer: { length: MiB, missing } }]
      }),
    ),
    open: new Set(numbers),
    copies: Uint16Array.from({ length: count }, (_, piece) => links.filter(({ has }) => has[piece] === 1).length),
    unbegun: new Map(
      links.map((each) => [each, each.has.filter((has, piece) => has === 1 && begun[piece] === undefined).length]),
    ),
    lowest: 0,
  }
}

const requests = (piece: number, count: number): BlockRequest[] => {
  return Array.from({ length: count }, (_, block) => {
    return { piece, offset: block * limits.blockBytes, length: limits.blockBytes }
  })
}
const inOrder = { nearer: [], strategy: 'sequential' as const, fraction: 0 }

t.test('a link goes on with its own piece, then inherits, then begins a new one, and joins in last', async (t) => {
  const [own, other] = [link([1, 1, 1, 1]), link([1, 1, 1, 1])]
  const links = [own, other]
  t.equal(pieceFor(swarm(links, { 0: { owner: other }, 2: { owner: own } }), own, inOrder), 2, 'its own')
  t.equal(pieceFor(swarm(links, { 0: { owner: other }, 2: {} }), own, inOrder), 2, 'one without an owner')
  t.equal(pieceFor(swarm(links, { 0: { owner: other }, 2: { owner: other } }), own, inOrder), 1, 'a new one')
  const all = { 0: { owner: other }, 1: { owner: other }, 2: { owner: other }, 3: { owner: other, alone: true } }
  t.equal(pieceFor(swarm(links, all), own, inOrder), 2, 'the one that may have two authors')
  t.equal(pieceFor(swarm([link([0, 0]), link([1, 1])]), link([0, 0]), inOrder), -1, 'nothing, if its peer has nothing')
})

t.test('the rarest piece comes first, and of equals the fraction decides', async (t) => {
  const links = [link([1, 1, 1, 1]), link([1, 0, 0, 1])]
  const [first] = links as [LinkView]
  t.equal(pieceFor(swarm(links), first, { nearer: [], strategy: 'rarest', fraction: 0 }), 1)
  t.equal(pieceFor(swarm(links), first, { nearer: [], strategy: 'rarest', fraction: 0.99 }), 2)
})

t.test('its share of the pieces comes first, and then the others', async (t) => {
  const shared = link([1, 1, 1], { share: () => ({ of: 2, which: 1 }) })
  t.equal(pieceFor(swarm([shared]), shared, inOrder), 1)
  t.equal(pieceFor(swarm([shared], { 1: { owner: link([1, 1, 1]), alone: true } }), shared, inOrder), 0)
})

t.test('a piece that a peer at the own site can send soon is left to that peer', async (t) => {
  const far = link([1, 1, 1], { elsewhere: true })
  const check = (near: LinkView, nearer: readonly LinkView[], piece: number, what: string) => {
    const view = swarm([far, near])
    t.same(nearerThan(view, far, nowMs), nearer, what)
    t.equal(pieceFor(view, far, { ...inOrder, nearer: nearerThan(view, far, nowMs) }), piece, what)
  }
  const near = link([1, 1, 0])
  check(near, [near], 2, 'a quick one')
  check(link([1, 1, 0], { wire: { peerChoking: true } }), [], 0, 'one that chokes us')
  check(link([1, 1, 0], { vainMs: limits.nearPatienceMs }), [], 0, 'one that has sent nothing for too long')
  const late = { askedAtMs: nowMs - limits.nearPatienceMs, wire: { requests: requests(0, 32) } }
  const busy = link([1, 1, 0], { ...late, speed: () => MiB })
  check(busy, [busy], 2, 'one that will be through soon')
  check(link([1, 1, 0], { ...late, speed: () => 1024 }), [], 0, 'one that will not')
  t.same(nearerThan(swarm([far, near]), near, nowMs), [], 'at the site itself nobody is nearer')
})

t.test('an idle link takes the last requests of a slow one over, as many as evens both out', async (t) => {
  const long = { askedAtMs: nowMs - limits.slowAfterMs, speed: () => MiB / 16 }
  const slow = link([1, 1], { ...long, wire: { requests: [...requests(0, 8), ...requests(1, 8)] } })
  const idle = link([1, 1])
  const view = swarm([idle, slow], { 0: { owner: slow }, 1: { owner: slow } })
  const taken = requestsToTakeOver(view, { idle, slow, nearer: [], nowMs }) ?? []
  t.same(taken[0], requests(1, 8)[7], 'the last one first')
  t.equal(taken.length, 16, 'at a sixteenth of the speed the slow one keeps less than a block')
  t.equal(requestsToTakeOver(view, { idle: slow, slow, nearer: [], nowMs }), undefined, 'not from itself')
  const since = link([1, 1], { wire: slow.wire, speed: slow.speed })
  t.equal(requestsToTakeOver(view, { idle, slow: since, nearer: [], nowMs }), undefined, 'it has only just been asked')
  const alone = swarm([idle, slow], { 0: { owner: slow, alone: true }, 1: { owner: slow, alone: true } })
  t.same(requestsToTakeOver(alone, { idle, slow, nearer: [], nowMs }), [], 'never a piece that needs one author')
  t.same(requestsToTakeOver(view, { idle, slow, nearer: [link([1, 1])], nowMs }), [], 'never what is nearer')
})

t.test('a piece that needs one author begins anew on an idle link if its owner gives nothing', async (t) => {
  const idle = link([1])
  const restart = (owner: LinkView, begun = {}) => {
    const view = swarm([idle, owner], { 0: { owner, alone: true, ...begun } })
    return pieceToRestart(view, { idle, nearer: [], nowMs })
  }
  const choking = link([1], { askedAtMs: 0, wire: { peerChoking: true } })
  t.equal(restart(choking), 0)
  t.equal(restart(choking, { alone: false }), -1, 'any other piece is joined')
  t.equal(restart(choking, { missing: 0 }), -1, 'it is being verified')
  t.equal(restart(idle), -1, 'it is its own')
  t.equal(restart(link([1], { wire: { peerChoking: true } })), -1, 'it has only just been asked')
  t.equal(restart(link([1], { askedAtMs: 0, speed: () => 1, wire: { requests: requests(0, 16) } })), 0, 'a slow one')
  t.equal(restart(link([1], { askedAtMs: 0, wire: { requests: requests(0, 16) } })), -1, 'a quick one')
})

t.test('who may have sent wrong blocks gives whole pieces, alone', async (t) => {
  const isSuspect = () => true
  const [suspect, other] = [link([1, 1], { isSuspect }), link([1, 1])]
  const links = [suspect, other]
  t.equal(pieceFor(swarm(links, { 0: { owner: suspect } }), other, inOrder), 1, 'nobody joins in')
  t.equal(pieceFor(swarm(links, { 0: { owner: suspect }, 1: { owner: suspect } }), other, inOrder), -1)
  t.equal(pieceFor(swarm(links, { 0: { owner: other }, 1: { owner: other } }), suspect, inOrder), -1, 'it joins nobody')
  t.equal(pieceFor(swarm(links, { 0: { owner: other } }), suspect, inOrder), 1, 'it begins a piece')
  const slow = link([1, 1], { askedAtMs: 0, speed: () => 1, wire: { requests: requests(0, 8) } })
  const view = swarm([suspect, slow], { 0: { owner: slow } })
  t.equal(requestsToTakeOver(view, { idle: suspect, slow, nearer: [], nowMs }), undefined, 'it takes nothing over')
  t.equal(pieceToRestart(view, { idle: suspect, nearer: [], nowMs }), 0, 'it begins a slow one anew')
  t.equal(pieceToRestart(view, { idle: other, nearer: [], nowMs }), -1)
  const slowSuspect = { ...slow, isSuspect }
  const owned = swarm([other, slowSuspect], { 0: { owner: slowSuspect } })
  t.same(
    requestsToTakeOver(owned, { idle: other, slow: slowSuspect, nearer: [], nowMs }),
    [],
    'nor does anybody from it',
  )
  t.equal(pieceToRestart(owned, { idle: other, nearer: [], nowMs }), 0, 'a slow one is begun anew by others')
})

t.test('work is left while a link that may send has a new piece or an unfinished one', async (t) => {
  const [has, lacks] = [link([1]), link([0])]
  t.ok(isWorkLeft(swarm([has]), []))
  t.notOk(isWorkLeft(swarm([lacks]), []))
  t.notOk(isWorkLeft(swarm([has], { 0: {} }), []))
  t.ok(isWorkLeft(swarm([has], { 0: {} }), [0]))
  t.notOk(isWorkLeft(swarm([link([1], { wire: { peerChoking: true } })]), [0]))
  t.same(
    [{}, { destroyed: true }, { peerChoking: true }, { requests: requests(0, 1) }].map((wire) =>
      isIdle(link([1], { wire })),
    ),
    [true, false, false, false],
  )
})
