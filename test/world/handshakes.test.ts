// Who keeps a place at a port while it is not known who calls.

import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { createHandshakes } from '../../src/world/handshakes.ts'

const max = { all: 8, keptForKnown: 4, ofAddress: 3, ofNetwork: 4 }

class FakeSocket extends EventEmitter {
  destroyed = false
  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

function door() {
  const handshakes = createHandshakes(max)
  const arrive = (address: string) => {
    const socket = new FakeSocket()
    handshakes.arrived(socket as unknown as Socket, address)
    return socket
  }
  return {
    handshakes,
    arrive,
    /** A node calls from there and is through its handshake. */
    node: (address: string) => handshakes.known(arrive(address) as unknown as Socket, address),
  }
}

t.test('of one address the oldest caller goes, so that a node gets through beside the silent', async (t) => {
  const { arrive } = door()
  const silent = [arrive('10.0.1.1'), arrive('10.0.1.1'), arrive('10.0.1.1')]
  const node = arrive('10.0.1.1')
  t.same(
    [...silent, node].map(({ destroyed }) => destroyed),
    [true, false, false, false],
  )
})

t.test('a network has its share too, by whatever addresses it calls', async (t) => {
  const { arrive } = door()
  const silent = [1, 2, 3, 4, 5].map((last) => arrive(`10.0.1.${last}`))
  t.same(
    silent.map(({ destroyed }) => destroyed),
    [true, false, false, false, false],
  )
})

t.test('strangers take no place that is kept for addresses from which nodes have called', async (t) => {
  const { arrive, node } = door()
  node('10.0.9.9')
  const strangers = Array.from({ length: 20 }, (_, n) => arrive(`10.0.${n + 10}.1`))
  t.equal(strangers.filter(({ destroyed }) => !destroyed).length, max.all - max.keptForKnown)
  const known = [arrive('10.0.9.9'), arrive('10.0.9.9'), arrive('10.0.9.9')]
  t.ok(known.every(({ destroyed }) => !destroyed))
})

t.test('nothing is kept for the address of a guest', async (t) => {
  const { arrive, handshakes } = door()
  handshakes.over(arrive('10.0.9.9') as unknown as Socket)
  const strangers = Array.from({ length: 20 }, (_, n) => arrive(`10.0.${n + 10}.1`))
  t.equal(strangers.filter(({ destroyed }) => !destroyed).length, max.all - max.keptForKnown)
  arrive('10.0.9.9')
  t.equal(strangers.filter(({ destroyed }) => !destroyed).length, max.all - max.keptForKnown - 1, 'it is a stranger')
})

t.test('an honest stranger is let in beside a network that is full of silent ones', async (t) => {
  const { arrive } = door()
  for (let n = 0; n < 20; n += 1) arrive(`10.0.1.${n}`)
  const honest = arrive('10.0.2.1')
  t.notOk(honest.destroyed)
})

t.test('who is through the handshake, or has left, takes no place any longer', async (t) => {
  const { arrive, node } = door()
  for (let n = 0; n < 50; n += 1) node('10.0.1.1')
  for (let n = 0; n < 50; n += 1) arrive('10.0.1.1').destroy()
  const kept = [arrive('10.0.1.1'), arrive('10.0.1.1'), arrive('10.0.1.1')]
  t.ok(kept.every(({ destroyed }) => !destroyed))
})
