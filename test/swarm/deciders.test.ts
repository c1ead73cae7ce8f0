// The pure parts of the swarm, with plain values.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { connectMsFor, infoHashFromServerName, serverNameOf, survivorOf } from '../../src/swarm/engine.ts'
import { allBits, bitsFor, bytesOf, hasBit, lengthOfPiece, piecesOf, withBits } from '../../src/swarm/holdings/bits.ts'
import { newHolding } from '../../src/swarm/holdings/holding.ts'
import { nextLookAt, shouldBeOpen } from '../../src/swarm/openings/opening.ts'
import { createHandouts, type HandoutPeer, peersToDial } from '../../src/swarm/openings/peers-to-dial.ts'
import { expectedSpeed, nextPieceFor, pipelineBlocks, strategyFor, takeOverBytes } from '../../src/swarm/strategy.ts'
import { backOffMs } from '../../src/work/back-off.ts'
import { payloadFrom } from './kit.ts'

const layouts = fc.record({ size: fc.integer({ min: 1, max: 5000 }), pieceLength: fc.integer({ min: 1, max: 700 }) })

t.test('the pieces of a payload add up to it', async () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      const lengths = Array.from({ length: piecesOf(layout) }, (_, piece) => lengthOfPiece(layout, piece))
      return (
        lengths.every((length) => length > 0 && length <= layout.pieceLength) &&
        lengths.reduce((sum, length) => sum + length, 0) === layout.size &&
        bytesOf(allBits(piecesOf(layout)), layout) === layout.size
      )
    }),
  )
})

t.test('set bits stay set, others stay clear, and numbers that are no piece are ignored', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(90)), fc.array(fc.nat(90)), (first, second) => {
      const bits = withBits(withBits(bitsFor(64), first), second)
      const expected = new Set([...first, ...second].filter((piece) => piece < 64))
      return Array.from({ length: 91 }, (_, piece) => piece).every(
        (piece) => hasBit(bits, piece) === expected.has(piece),
      )
    }),
  )
})

t.test('alone with its parent a node takes pieces in order, with others the rarest first', async (t) => {
  t.equal(strategyFor({ others: 0 }), 'sequential')
  t.equal(strategyFor({ others: 1 }), 'rarest')
  const qualifies = (piece: number) => [2, 3, 5].includes(piece)
  const copies = (piece: number) => [0, 0, 4, 1, 0, 1][piece] ?? 0
  const choice = { from: 0, pieces: 6, qualifies, copies }
  t.equal(nextPieceFor({ ...choice, strategy: 'sequential', fraction: 0.9 }), 2)
  t.equal(nextPieceFor({ ...choice, strategy: 'sequential', fraction: 0, from: 3 }), 3)
  t.equal(nextPieceFor({ ...choice, strategy: 'rarest', fraction: 0 }), 3)
  t.equal(nextPieceFor({ ...choice, strategy: 'rarest', fraction: 0.99 }), 5)
  t.equal(nextPieceFor({ ...choice, strategy: 'rarest', fraction: 0.5, qualifies: () => false }), -1)
})

t.test('the choice always qualifies and nothing that qualifies is rarer', async () => {
  const places = fc.array(fc.record({ qualifies: fc.boolean(), copies: fc.nat(4) }), { maxLength: 30 })
  const fractions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(places, fractions, (pieces, fraction) => {
      const chosen = nextPieceFor({
        ...{ strategy: 'rarest', from: 0, pieces: pieces.length, fraction },
        qualifies: (piece) => pieces[piece]?.qualifies ?? false,
        copies: (piece) => pieces[piece]?.copies ?? 0,
      })
      const qualified = pieces.filter((piece) => piece.qualifies)
      const found = pieces[chosen]
      if (found === undefined) return qualified.length === 0
      return found.qualifies && qualified.every((piece) => piece.copies >= found.copies)
    }),
  )
})

t.test('a wire is asked for about a second ahead, within bounds', async (t) => {
  t.equal(pipelineBlocks({ delivered: 0, speed: 0 }) * limits.blockBytes, limits.pipelineFirstBytes)
  t.equal(pipelineBlocks({ delivered: 1e9, speed: 0 }) * limits.blockBytes, limits.pipelineMinBytes)
  t.equal(pipelineBlocks({ delivered: 1e9, speed: 1e9 }) * limits.blockBytes, limits.pipelineMaxBytes)
  t.equal(pipelineBlocks({ delivered: 1e9, speed: 1024 * 1024 }), 16)
})

t.test('an idle wire takes over only from one that would need much longer, and never more than that has', async (t) => {
  const fast = { bytes: 0, speed: 8e6 }
  t.equal(takeOverBytes(fast, { bytes: 0, speed: 0 }), 0)
  t.equal(takeOverBytes(fast, { bytes: 4e6, speed: 4e6 }), 0, 'done in a second')
  t.ok(takeOverBytes(fast, { bytes: 4e6, speed: 4e5 }) > 3e6, 'ten seconds')
  t.equal(takeOverBytes(fast, { bytes: 1e6, speed: 0 }), 1e6, 'all of what does not come')
  const backlogs = fc.record({ bytes: fc.nat(1e8), speed: fc.nat(1e8) })
  fc.assert(
    fc.property(backlogs, backlogs, (idle, slow) => {
      const bytes = takeOverBytes({ ...idle, bytes: 0 }, slow)
      return bytes >= 0 && bytes <= slow.bytes
    }),
  )
})

t.test('an idle wire counts as fast until it was tried, and then as fast as it was', async (t) => {
  const idle = { speed: 0, delivered: 0, busyMs: 0 }
  t.equal(expectedSpeed(idle), limits.pipelineMinBytes)
  t.equal(expectedSpeed({ ...idle, busyMs: 10_000 }), 0)
  t.equal(expectedSpeed({ ...idle, busyMs: 10_000, delivered: 1e6 }), 1e5)
  t.equal(takeOverBytes({ bytes: 0, speed: 0 }, { bytes: 1e6, speed: 0 }), 0, 'two that give nothing leave each other')
})

t.test('of two connections both ends keep the same one', async (t) => {
  t.equal(survivorOf('a', 'b'), 'outgoing')
  t.equal(survivorOf('b', 'a'), 'incoming')
})

t.test('the server name tells the info hash, and nothing else does', async (t) => {
  const { infoHash } = payloadFrom('x', { size: 10 }).spec.payload
  t.equal(infoHashFromServerName(serverNameOf(infoHash)), infoHash)
  for (const name of [false, '', 'x.swarm', infoHash, `${infoHash.toUpperCase()}.swarm`, `a${infoHash}.swarm`]) {
    t.equal(infoHashFromServerName(name), undefined)
  }
})

t.test('retries wait longer and longer, up to a ceiling, never less than half a step', async () => {
  const fractions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fractions, (attempts, fraction) => {
      const step = Math.min(60_000, 500 * 2 ** (attempts - 1))
      const delay = backOffMs({ failures: attempts, fraction, firstMs: 500, ceilingMs: 60_000 })
      return delay >= step / 2 && delay <= step
    }),
  )
})

t.test('what comes in is open while it is wanted, what is whole only while somebody uses it', async (t) => {
  const { metainfo: _, ...spec } = payloadFrom('x', { size: 10 }).spec
  const incoming = newHolding(spec)
  const whole = { ...incoming, progress: { kind: 'complete' as const } }
  const failed = { ...incoming, wanted: true, progress: { kind: 'failed' as const, because: '', retryAtMs: 50 } }
  t.equal(shouldBeOpen(incoming, undefined, 0), false)
  t.equal(shouldBeOpen({ ...incoming, wanted: true }, undefined, 0), true)
  t.equal(shouldBeOpen({ ...whole, wanted: true }, undefined, 0), false)
  t.equal(shouldBeOpen(whole, { busy: true, untilMs: 0 }, 100), true)
  t.equal(shouldBeOpen(whole, { busy: false, untilMs: 101 }, 100), true)
  t.equal(shouldBeOpen(whole, { busy: false, untilMs: 100 }, 100), false)
  t.equal(shouldBeOpen(failed, { busy: true, untilMs: 100 }, 0), false)
  t.equal(nextLookAt(failed, undefined), 50)
  t.equal(nextLookAt({ ...failed, wanted: false }, undefined), Number.POSITIVE_INFINITY)
  t.equal(nextLookAt(whole, { busy: false, untilMs: 70 }), 70)
  t.equal(nextLookAt(whole, { busy: true, untilMs: 70 }), Number.POSITIVE_INFINITY)
})

t.test('the parent is across the link unless its site is ours; a sibling without a site is asked', async (t) => {
  const peer = { address: '10.0.0.1', port: 7421 }
  const elsewhere = (relation: 'parent' | 'sibling', theirs: string | null, ours: string | null) =>
    peersToDial([{ ...peer, node: 'other', relation, site: theirs }], 'self', ours)[0]?.elsewhere
  t.equal(elsewhere('parent', 'berlin', 'berlin'), false)
  t.equal(elsewhere('parent', 'paris', 'berlin'), true)
  t.equal(elsewhere('parent', null, 'berlin'), true)
  t.equal(elsewhere('parent', 'berlin', null), true)
  t.equal(elsewhere('sibling', 'berlin', 'berlin'), false)
  t.equal(elsewhere('sibling', 'paris', 'berlin'), true)
  t.equal(elsewhere('sibling', null, 'berlin'), null)
  const share = { of: 2, which: 1 }
  const parent = { ...peer, node: 'other', relation: 'parent' as const, site: null, share }
  t.same(peersToDial([parent], 'self', null)[0]?.share, share)
  const own = { ...peer, node: 'self', relation: 'sibling' as const, site: null }
  t.same(peersToDial([own, { ...own, node: 'closed', port: 0 }], 'self', null), [], 'nobody dials himself or port 0')
})

t.test('a handout is news unless it lists the same peers in the same order', async (t) => {
  const handouts = createHandouts()
  const parent: HandoutPeer = { node: 'p', address: '10.0.0.1', port: 7421, relation: 'parent', site: 'berlin' }
  const sibling: HandoutPeer = { node: 's', address: '10.0.0.2', port: 7421, relation: 'sibling', site: null }
  t.equal(handouts.take('a', []), false, 'there was none before')
  t.equal(handouts.take('a', [parent, sibling]), true)
  t.equal(handouts.take('a', [{ ...parent }, { ...sibling }]), false)
  t.equal(handouts.take('a', [sibling, parent]), true)
  const changes: Partial<HandoutPeer>[] = [
    ...[{ node: 'q' }, { address: '10.0.0.3' }, { port: 1 }, { relation: 'parent' as const }, { site: 'oslo' }],
    ...[{ share: { of: 2, which: 0 } }, { share: { of: 2, which: 1 } }, { share: { of: 3, which: 1 } }],
  ]
  for (const change of changes) t.equal(handouts.take('a', [{ ...sibling, ...change }]), true, JSON.stringify(change))
  t.equal(handouts.take('a', []), true)
  t.same(handouts.of('a'), [])
})

t.test('a sibling at another site has as long to take a connection as a parent', (t) => {
  t.equal(connectMsFor({ relation: 'parent', elsewhere: null }), limits.connectTimeoutMs)
  t.equal(connectMsFor({ relation: 'sibling', elsewhere: true }), limits.connectTimeoutMs)
  t.equal(connectMsFor({ relation: 'sibling', elsewhere: false }), limits.siblingConnectMs)
  t.equal(connectMsFor({ relation: 'sibling', elsewhere: null }), limits.siblingConnectMs)
  t.end()
})
