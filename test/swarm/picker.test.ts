// The choice of pieces and wires, with everything around it simulated: what is promised for every
// course of events.

import fc from 'fast-check'
import t from 'tap'
import type { BlockRequest } from 'webtorrent'
import { limits } from '../../src/model/limits.ts'
import type { Share } from '../../src/model/wire/announce.ts'
import type { Link } from '../../src/swarm/engine/link.ts'
import { startPicker } from '../../src/swarm/engine/picker/picker.ts'
import { handClock } from '../tracker/hand-clock.ts'
import { type FakeTorrentWire, fakeTorrent } from './fake-torrent.ts'

const blocksPerPiece = 24
const pieceLength = blocksPerPiece * limits.blockBytes

interface FakeWire extends FakeTorrentWire {
  link: Link
  /** What the other end has on its way; a cancelled request may be among them. */
  coming: BlockRequest[]
  blocksPerStep: number
  close(): void
}

function fakeSwarm(pieces: number, strategy: 'rarest' | 'sequential', fractions: () => number) {
  const clock = handClock()
  const wires: FakeWire[] = []
  /** Pieces that turn out to be wrong once they are whole. */
  const wrong = new Set<number>()
  /** Who gave each block of a piece. */
  const asked = new Map<number, FakeTorrentWire[]>()
  /** By piece that is here, the nodes whose blocks it is made of. */
  const authors = new Map<number, Set<string>>()
  const suspects = new Set<string>()
  let nodes = 0
  let recounts = 0
  const fakes = fakeTorrent(pieces, {
    requested: (fake, request) => wires.find(({ wire }) => wire === fake.wire)?.coming.push(request),
    block: (piece, fake) => asked.set(piece, [...(asked.get(piece) ?? []), fake]),
    isWrong: (piece) => wrong.delete(piece),
    wrong: (piece) => {
      asked.delete(piece)
      picker.again(piece)
    },
    verified: (piece) => {
      authors.set(piece, new Set(picker.whole(piece)?.blocks.map(({ node }) => node)))
      picker.onVerified(piece)
    },
  })
  const { torrent, here } = fakes
  const picker = startPicker({
    torrent,
    lengthOf: () => pieceLength,
    clock,
    random: { fraction: fractions },
    strategy: () => strategy,
    onSilent: () => {},
    onRecount: () => {
      recounts += 1
    },
  })
  /** A quarter of a second. */
  const step = async () => {
    for (const fake of [...wires]) {
      const { link, coming, blocksPerStep } = fake
      const arriving = coming.splice(0, blocksPerStep)
      if (arriving.length > 0) link.heardAtMs = clock.monotonicMs()
      for (const block of arriving) {
        link.delivered += block.length
        fakes.receive(fake, block)
      }
    }
    await new Promise(setImmediate)
    clock.pass(limits.pickAgainEveryMs)
  }
  return {
    here,
    wrong,
    /** Whether a piece has blocks of a suspect and of somebody else. */
    isMixed: () => {
      return [...authors.values()].some((names) => names.size > 1 && !names.isDisjointFrom(suspects))
    },
    givers: (piece: number) => new Set<unknown>(asked.get(piece)),
    step,
    stepsUntilWhole: async (max: number) => {
      let steps = 0
      for (; steps <= max && here.size < pieces; steps += 1) await step()
      return steps
    },
    wires,
    recounts: () => recounts,
    has: ({ link }: FakeWire, piece: number) => {
      if (link.has[piece] === 1) return
      link.has[piece] = 1
      link.count += 1
      picker.onHas(link, piece)
      torrent._update()
    },
    connect: (
      blocksPerStep: number,
      { elsewhere = false, share, isSuspect = false }: { elsewhere?: boolean; share?: Share; isSuspect?: boolean } = {},
    ): FakeWire => {
      const torrentWire = fakes.addWire()
      const node = `node-${nodes++}`
      if (isSuspect) suspects.add(node)
      const { wire } = torrentWire
      const link = {
        ...{ node, has: new Uint8Array(pieces), count: 0, delivered: 0, rejects: 0, wire },
        share: () => share,
        isSuspect: () => isSuspect,
        lane: { isElsewhere: () => elsewhere, isBackground: () => false },
        ...{ askedAtMs: 0, heardAtMs: 0, busyMs: 0, vainMs: 0, silentMs: 0, deliveredBefore: 0 },
        speed: () => fake.blocksPerStep * limits.blockBytes * 4,
      } as unknown as Link
      const fake: FakeWire = Object.assign(torrentWire, {
        ...{ link, coming: [], blocksPerStep },
        close: () => {
          fakes.end(fake)
          wire.destroyed = true
          picker.onClose(link)
          wires.splice(wires.indexOf(fake), 1)
        },
      })
      wires.push(fake)
      picker.onOpen(link)
      return fake
    },
  }
}

t.test('whatever comes when, all pieces are fetched once somebody has them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom('rarest', 'sequential'),
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(4), fc.nat(11), fc.nat(9)), { maxLength: 120 }),
      fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      async (pieces, strategy, speeds, events, suspects) => {
        let drawn = 0
        const swarm = fakeSwarm(pieces, strategy, () => {
          drawn += 7
          return (drawn % 10) / 10
        })
        const [first] = [
          swarm.connect(3, { elsewhere: true, isSuspect: suspects[5] === true }),
          ...speeds.map((speed, index) => {
            return swarm.connect(speed, { elsewhere: index % 3 === 2, isSuspect: suspects[index] === true })
          }),
        ]
        for (const [who, piece, what] of events) {
          const wire = swarm.wires[who % swarm.wires.length]
          if (wire === undefined) continue
          if (what <= 5) swarm.has(wire, piece % pieces)
          else if (what === 6 && wire !== first) {
            wire.close()
            swarm.connect(speeds[who] ?? 1)
          } else await swarm.step()
        }
        for (let piece = 0; piece < pieces; piece += 1) swarm.has(first, piece)
        for (let steps = 0; steps < 1500 && swarm.here.size < pieces; steps += 1) await swarm.step()
        return swarm.here.size === pieces && swarm.recounts() === 0 && !swarm.isMixed()
      },
    ),
    { numRuns: 300 },
  )
})

t.test('what somebody at the own site has does not come over a link, unless he gives it too slowly', async (t) => {
  const pieces = 8
  const swarm = fakeSwarm(pieces, 'rarest', () => 0)
  const far = swarm.connect(24, { elsewhere: true })
  const near = swarm.connect(6)
  for (let piece = 0; piece < pieces; piece += 1) swarm.has(far, piece)
  for (let piece = 0; piece < 4; piece += 1) swarm.has(near, piece)
  const asked = new Set<number>()
  for (let steps = 0; steps < 60 && swarm.here.size < pieces; steps += 1) {
    for (const { piece } of far.requests) asked.add(piece)
    await swarm.step()
  }
  t.equal(swarm.here.size, pieces)
  t.same([...asked].sort(), [4, 5, 6, 7])

  const stuck = fakeSwarm(2, 'rarest', () => 0)
  const [parent, sibling] = [stuck.connect(6, { elsewhere: true }), stuck.connect(0)]
  for (const wire of [sibling, parent]) for (const piece of [0, 1]) stuck.has(wire, piece)
  let steps = 0
  while (stuck.here.size < 2 && steps < 100) {
    await stuck.step()
    steps += 1
  }
  t.ok(steps * limits.pickAgainEveryMs > limits.nearPatienceMs, 'he has some time')
  t.equal(stuck.here.size, 2, 'and then it comes from elsewhere')
})

t.test('a piece that is to come from one wire is begun anew on another one if that one gives nothing', async (t) => {
  const swarm = fakeSwarm(1, 'sequential', () => 0)
  const first = swarm.connect(8)
  swarm.wrong.add(0)
  swarm.has(first, 0)
  for (let steps = 0; swarm.wrong.size > 0 && steps < 20; steps += 1) await swarm.step()
  first.blocksPerStep = 1
  for (let steps = 0; steps < 3; steps += 1) await swarm.step()
  first.blocksPerStep = 0
  const second = swarm.connect(3)
  swarm.has(second, 0)
  const steps = await swarm.stepsUntilWhole(40)
  t.ok(steps <= 40, `${steps} steps of a quarter of a second`)
  t.same(swarm.givers(0).has(second), true)
})

t.test('two wires that give nothing do not pass work to each other for ever', async (t) => {
  const swarm = fakeSwarm(4, 'rarest', () => 0)
  const give = (blocksPerStep: number) => {
    const wire = swarm.connect(blocksPerStep)
    for (let piece = 0; piece < 4; piece += 1) swarm.has(wire, piece)
  }
  give(0)
  give(0)
  for (let steps = 0; steps < 8; steps += 1) await swarm.step()
  give(3)
  const steps = await swarm.stepsUntilWhole(80)
  t.ok(steps <= 80, `${steps} steps of a quarter of a second`)
})

t.test('of a parent that others of the site ask too, the own share of the pieces is asked for first', async (t) => {
  const pieces = 6
  const swarm = fakeSwarm(pieces, 'rarest', () => 0)
  const parent = swarm.connect(24, { elsewhere: true, share: { of: 2, which: 1 } })
  for (let piece = 0; piece < pieces; piece += 1) swarm.has(parent, piece)
  const order = new Set<number>()
  for (let steps = 0; steps < 60 && swarm.here.size < pieces; steps += 1) {
    for (const { piece } of parent.requests) order.add(piece)
    await swarm.step()
  }
  t.same([...order], [1, 3, 5, 0, 2, 4])
})
