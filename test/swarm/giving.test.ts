// What a wire is answered, whenever its reads end.

import { EventEmitter } from 'node:events'
import t from 'tap'
import type { BlockRequest, PieceStore, Wire } from 'webtorrent'
import { answerRequests } from '../../src/swarm/engine/giving.ts'
import { createMeter } from '../../src/swarm/engine/meter.ts'
import { handClock } from '../tracker/hand-clock.ts'

const block = { piece: 0, offset: 0, length: 4 }

/**
 * As bittorrent-protocol does it: an answer takes the first request out that says the same, and
 * counts only for itself.
 */
function givingWire() {
  const clock = handClock()
  const peerRequests: BlockRequest[] = []
  const said: string[] = []
  const wire = Object.assign(new EventEmitter(), {
    ...{ destroyed: false, peerRequests, _readableState: { buffered: 0 } },
    keepAlive: () => said.push('still here'),
  })
  const reads: (() => void)[] = []
  answerRequests({
    wire: wire as unknown as Wire,
    has: () => true,
    onSent: () => {},
    store: {
      get: (_piece: number, _part: unknown, done: (error: null, bytes: Uint8Array) => void) => {
        reads.push(() => done(null, new Uint8Array(4)))
      },
    } as unknown as PieceStore,
    meter: createMeter({ clock }),
    lane: { isBackground: () => false, isElsewhere: () => false },
    clock,
    lengthOf: () => 4,
    onAbuse: (because) => said.push(because),
  })
  return {
    clock,
    said,
    reads,
    ask: (name: string) => {
      const request = { ...block }
      peerRequests.push(request)
      wire.emit('request', 0, 0, 4, () => {
        const [pulled] = peerRequests.splice(0, 1)
        if (pulled === request) said.push(name)
      })
    },
    cancel: () => peerRequests.splice(0, 1),
  }
}

t.test('a request that is cancelled while it is read and made again is answered', async (t) => {
  const { ask, cancel, reads, said } = givingWire()
  ask('first')
  cancel()
  ask('second')
  for (const read of reads) read()
  t.same(said, ['second'])
})

t.test('who waits for an answer is told every so often that it will come, and nobody else', async (t) => {
  const { ask, reads, said, clock } = givingWire()
  ask('answer')
  clock.pass(12_000)
  t.same(said, ['still here', 'still here'])
  for (const read of reads) read()
  clock.pass(60_000)
  t.same(said, ['still here', 'still here', 'answer'])
})
