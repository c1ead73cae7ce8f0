// What a wire is told of the pieces that are here.

import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Wire } from 'webtorrent'
import { limits } from '../../src/model/limits.ts'
import { gatherNews } from '../../src/swarm/engine/news.ts'
import { createSimulation } from '../world/simulation.ts'

t.test('the first piece is told at once, and those that follow it together', async (t) => {
  const { wire, sent, simulation } = gathering()
  for (const piece of [7, 258, 9]) wire.have(piece)
  t.same(sent(), [[7]])
  await simulation.run({ forMs: limits.newsGatheredMs + 1 })
  t.same(sent(), [[7], [258, 9]])
  await simulation.run({ forMs: limits.newsGatheredMs + 1 })
  t.equal(sent().length, 2, 'once')
})

t.test('who has a piece hears of it along with something else', async (t) => {
  const { wire, sent, simulation } = gathering({ has: [1, 2] })
  wire.have(1)
  wire.have(2)
  await simulation.run({ forMs: 60_000 })
  t.same(sent(), [])
  wire._push(Buffer.from('request'))
  t.same(sent(), [[1, 2], 'request'])
  wire._push(Buffer.from('block'))
  t.same(sent(), [[1, 2], 'request', 'block'])
})

t.test('or when all that is left is told', async (t) => {
  const { wire, news, sent } = gathering({ has: [1] })
  wire.have(1)
  news.send()
  t.same(sent(), [[1]])
})

t.test('nothing is told on a wire that has ended', async (t) => {
  const { wire, sent, simulation } = gathering()
  wire.have(1)
  wire.have(2)
  wire.destroy()
  await simulation.run({ forMs: 60_000 })
  t.same(sent(), [[1]])
})

/** `sent` shows news as the numbers of the pieces, and everything else as it is. */
function gathering({ has = [] }: { has?: number[] } = {}) {
  const simulation = createSimulation()
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const pushed: Buffer[] = []
  const wire = Object.assign(new EventEmitter(), {
    destroyed: false,
    destroy: () => {
      wire.destroyed = true
      wire.emit('close')
    },
    _push: (bytes: Uint8Array) => pushed.push(Buffer.from(bytes)),
  }) as unknown as Wire & { destroyed: boolean }
  const news = gatherNews({ wire, clock, peerHas: (piece) => has.includes(piece) })
  const shown = (bytes: Buffer): string | number[] => {
    if (bytes[0] !== 0) return bytes.toString()
    const messages = Array.from({ length: bytes.length / 9 }, (_, index) => bytes.subarray(index * 9, index * 9 + 9))
    return messages.map((each) => {
      t.same([...each.subarray(0, 5)], [0, 0, 0, 5, 4])
      return each.readUInt32BE(5)
    })
  }
  return { wire, news, simulation, sent: () => pushed.map(shown) }
}
