// Who waits for an engine to start, where more call than there is room for.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createWaitingCallers } from '../../src/swarm/callers/waiting-callers.ts'
import type { Caller } from '../../src/swarm/engine.ts'
import { handClock } from '../tracker/hand-clock.ts'

function callerFrom(remoteAddress: string) {
  const caller = {
    remoteAddress,
    isGone: false,
    destroy() {
      caller.isGone = true
    },
  }
  return caller
}

t.test('two addresses that call without end do not keep a third one from waiting', async (t) => {
  const waiting = createWaitingCallers({ clock: handClock() })
  for (let n = 0; n < 2 * limits.pendingSocketsMax; n += 1) {
    waiting.add(callerFrom(`10.0.0.${n % 2}`) as unknown as Caller, 'swarm')
  }
  t.equal(waiting.size(), limits.pendingSocketsMax)
  const node = callerFrom('10.0.0.9')
  waiting.add(node as unknown as Caller, 'swarm')
  t.notOk(node.isGone)
  t.equal(waiting.size(), limits.pendingSocketsMax)
  t.ok(waiting.takeAll().some(({ caller }) => caller === (node as unknown)))
})

t.test('of one address the oldest goes, and the others stay', async (t) => {
  const waiting = createWaitingCallers({ clock: handClock() })
  const callers = Array.from({ length: limits.pendingPerAddressMax + 1 }, () => callerFrom('10.0.0.1'))
  for (const caller of callers) waiting.add(caller as unknown as Caller, 'swarm')
  t.same(
    callers.flatMap(({ isGone }, n) => (isGone ? [n] : [])),
    [0],
  )
})

t.test('nobody waits for ever', async (t) => {
  const clock = handClock()
  const waiting = createWaitingCallers({ clock })
  const caller = callerFrom('10.0.0.1')
  waiting.add(caller as unknown as Caller, 'swarm')
  clock.pass(limits.swarmHandshakeMs)
  t.ok(caller.isGone)
  t.equal(waiting.size(), 0)
})
