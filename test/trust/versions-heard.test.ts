import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createVersionsHeard } from '../../src/trust/versions-heard.ts'

t.test('more than half of the children have to trust something newer', async (t) => {
  const clock = { at: 0, monotonicMs: () => clock.at }
  const heard = createVersionsHeard(clock)
  t.equal(heard.ahead(40), null, 'nobody has called')
  heard.heard('mallory', 2 ** 52)
  heard.heard('one', 40)
  t.equal(heard.ahead(40), null, 'one of two is not more than half')
  heard.heard('two', 45)
  t.same(heard.ahead(40), { version: 40 + limits.recoverJumpMax, signed: 40, agree: 2, voices: 3 }, 'a lie is bounded')
  heard.heard('mallory', 44)
  t.same(heard.ahead(40), { version: 45, signed: 40, agree: 2, voices: 3 })
  t.equal(heard.ahead(45), null)
  clock.at += limits.clockVoiceMs + 1
  t.equal(heard.ahead(40), null, 'who has not called for a while has no voice')
})
