// Who is blamed for a piece to which several peers gave blocks: whoever gave the wrong ones, and
// nobody whose blocks were crossed by them (kind: blame of the innocent).

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { engineHere, fastClock } from './engine-here.ts'
import { nodesFor, payloadFrom } from './kit.ts'
import { have, haveNone, startPoisoner } from './raw-peer.ts'

/** The parent's link is thin: a block that nobody crosses comes so late, by the engine's clock. */
const lateMs = 0.9 * limits.wireSilentMs

t.test('who puts wrong blocks between those of the parent does not make the parent a poisoner', async (t) => {
  const nodes = await nodesFor(t)
  const clock = fastClock(t, 4)
  const pieceLength = limits.blockBytes
  const payload = payloadFrom('mixed', { size: 3 * limits.wrongPiecesMax * pieceLength, pieceLength })
  const { infoHash } = payload.spec.payload
  const peer = async (node: string) => ({
    ...{ node, infoHash, bytes: payload.bytes, pieceLength },
    tls: await nodes.fleet.node(node),
  })
  /** What the parent has on its way. All of its bytes are right. */
  const onTheWay = new Map<number, () => void>()
  const arrive = (piece: number) => {
    const give = onTheWay.get(piece)
    onTheWay.delete(piece)
    give?.()
  }
  /** Pieces of which a liar has sent a wrong copy. */
  const crossed = new Set<number>()
  /** The parent's blocks are no longer crossed. */
  let isOver = false
  const parent = await startPoisoner(t, {
    ...(await peer('parent')),
    onAsked: ({ piece }, give) => {
      if (crossed.has(piece) || isOver) return give()
      onTheWay.set(piece, give)
      clock.after(lateMs, () => {
        isOver ||= onTheWay.has(piece)
        arrive(piece)
      })
      for (const liar of liars) liar.cross(piece)
    },
  })
  // Each of them lies too seldom to be banned for that.
  const startLiar = async (name: string) => {
    let lies = 0
    const liar = await startPoisoner(t, {
      ...(await peer(name)),
      says: () => Buffer.concat([haveNone, ...[...onTheWay.keys()].map(have)]),
      onAsked: ({ piece, length }, give) => {
        const isLie = onTheWay.has(piece) && lies < limits.wrongPiecesMax
        if (!isLie) return give()
        lies += 1
        crossed.add(piece)
        // The parent's block is on its way although its request was cancelled, and comes first.
        arrive(piece)
        clock.after(limits.pickAgainEveryMs, () => give(Buffer.alloc(length)))
      },
    })
    const cross = (piece: number) => {
      if (lies < limits.wrongPiecesMax) liar.say(have(piece))
    }
    return { ...liar, cross }
  }
  const liars = [await startLiar('mallory'), await startLiar('trudy')]
  const client = await nodes.start('client', { engine: engineHere(clock) })
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [parent.as('parent'), ...liars.map((liar) => liar.as('sibling'))])
  const isOf = (kinds: string[]) => client.events.some(({ kind }) => kinds.includes(kind))
  await client.until('it is over', () => isOf(['completed', 'attack']))
  t.ok(crossed.size > 0, `${crossed.size} pieces were wrong`)
  t.same(
    client.events.filter(({ kind }) => kind === 'attack'),
    [],
  )
  t.notOk(client.lines.find((line) => /wire closed.*parent/.test(line)))
})
