// Payloads that are read again because an apply found one damaged.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { type MachineWorkParts, startMachineWork } from '../../../src/node/effects/machine-work.ts'
import { handClock } from '../../tracker/hand-clock.ts'

t.test('applies wait for a payload that is read again, and not for ever', async (t) => {
  const clock = handClock()
  const dispatched: string[] = []
  const read = Promise.withResolvers<void>()
  const beganReading = Promise.withResolvers<void>()
  const work = startMachineWork({
    clock,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    objects: { get: async () => undefined },
    swarm: {
      payloadPath: () => undefined,
      recheck: () => {
        beganReading.resolve()
        return read.promise
      },
    },
    dispatch: ({ kind }: { kind: string }) => void dispatched.push(kind),
  } as unknown as MachineWorkParts)
  work.recheck(['a'.repeat(64)])
  await beganReading.promise
  clock.pass(limits.recheckMaxMs - 1)
  t.same(dispatched, [])
  clock.pass(1)
  t.same(dispatched, ['rechecked'])
  read.resolve()
  await new Promise(setImmediate)
  t.same(dispatched, ['rechecked'], 'told once')
  t.equal(clock.waiting(), 0)
})
