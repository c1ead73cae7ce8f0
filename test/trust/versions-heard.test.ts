import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createVersionsHeard } from '../../src/trust/versions-heard.ts'

t.test('more than half of the children have to trust something newer', async (t) => {
  const heard = createVersionsHeard()
  t.equal(heard.ahead(40), null, 'nobody has called')
  heard.heard('mallory', 2 ** 52)
  heard.heard('one', 40)
  t.equal(heard.ahead(40), null, 'one of two is not more than half')
  heard.heard('two', 45)
  t.same(heard.ahead(40), { version: 40 + limits.recoverJumpMax, signed: 40, agree: 2, voices: 3 }, 'a lie is bounded')
  heard.heard('mallory', 44)
  t.same(heard.ahead(40), { version: 45, signed: 40, agree: 2, voices: 3 })
  t.equal(heard.ahead(45), null)
})
