// Whether objects are on their way to a child.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createGivenObjects } from '../../../src/node/children/given-objects.ts'

t.test('a child fetches while it waits for an answer, and while a thin link still carries it', (t) => {
  let nowMs = 5
  const given = createGivenObjects(() => nowMs)
  t.notOk(given.isGiving('a'))
  given.asked('a')
  t.ok(given.isGiving('a'))
  nowMs += limits.requestTimeoutMs
  t.notOk(given.isGiving('a'))
  given.gave('a', 2 ** 20)
  // 880 KiB over 32 kbit/s take 220 s.
  nowMs += 300_000
  given.asked('a')
  t.ok(given.isGiving('a'))
  t.notOk(given.isGiving('b'))
  nowMs += 3600_000
  t.notOk(given.isGiving('a'))
  t.end()
})
