// Log lines that others can cause.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createFewLines } from '../../src/work/few-lines.ts'
import { handClock } from '../tracker/hand-clock.ts'

t.test('one sender has few lines about one thing, and no sender takes those of the others', async (t) => {
  const clock = handClock()
  const lines = createFewLines(clock)
  const logged = (about: string, from: string) =>
    Array.from({ length: 1_000 }, () => lines.mayLog(about, from)).filter(Boolean).length
  t.equal(logged('report-forged', 'thief'), limits.linesOfSenderMax)
  t.equal(logged('report-forged', 'other'), limits.linesOfSenderMax)
  t.equal(logged('stranger', 'thief'), limits.linesOfSenderMax)
  clock.pass(limits.linesEveryMs)
  t.equal(logged('report-forged', 'thief'), limits.linesOfSenderMax, 'what goes on is logged again')
})

t.test('all senders together have not many lines about one thing', async (t) => {
  const lines = createFewLines(handClock())
  const logged = Array.from({ length: 1_000 }, (_, n) => lines.mayLog('stranger', `10.0.0.${n}`)).filter(Boolean)
  t.equal(logged.length, limits.linesOfKindMax)
  t.ok(lines.mayLog('wrong-parent', '10.0.0.1'), 'and another thing is still said')
})
