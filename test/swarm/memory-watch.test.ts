// An engine that takes too much memory ends.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { endAfterTelling, watchMemory } from '../../src/swarm/engine/memory-watch.ts'
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

t.test('an engine that has to end does so although nobody takes its last word', async (t) => {
  const clock = handClock()
  let ended = 0
  const end = () => {
    ended += 1
  }
  endAfterTelling({ clock, tell: () => {}, end })
  t.equal(ended, 0)
  clock.pass(limits.engineFarewellMs)
  t.equal(ended, 1)
  endAfterTelling({ clock, tell: (told) => told(), end })
  t.equal(ended, 2, 'at once where the word has left')
})
