// An engine that takes too much memory ends.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { watchMemory } from '../../src/swarm/engine/memory-watch.ts'
import { handClock } from '../tracker/hand-clock.ts'

t.test('too much memory is told once, soon after it is taken', async (t) => {
  const clock = handClock()
  let residentBytes = limits.engineMemoryMaxBytes
  const told: number[] = []
  watchMemory({ clock, residentBytes: () => residentBytes, onTooMuch: (bytes) => told.push(bytes) })
  clock.pass(60_000)
  t.same(told, [])
  residentBytes += 1
  clock.pass(limits.engineMemoryLookMs)
  clock.pass(60_000)
  t.same(told, [residentBytes])
  t.equal(clock.waiting(), 0)
})
