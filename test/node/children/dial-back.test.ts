import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createDialBack } from '../../../src/node/children/dial-back.ts'
import { handClock } from '../../tracker/hand-clock.ts'

function stage() {
  const clock = handClock()
  const dialled: string[] = []
  const dialBack = createDialBack({
    monotonicMs: clock.monotonicMs,
    swarmPort: () => 7421,
    connect: async (address, port) => {
      dialled.push(`${address} ${port}`)
      return port === 7421 ? 'no answer' : null
    },
  })
  return { clock, dialled, dialBack }
}

const asked = { node: 'a', address: '203.0.113.7', control: 7420, swarm: 7421 }

t.test('a parent dials both ports of a child where it sees the child', async (t) => {
  const { dialBack, dialled } = stage()
  const found = { address: '203.0.113.7', swarmPort: 7421, control: null, swarm: 'no answer' }
  t.same(await dialBack.reach(asked), found)
  t.same(dialled, ['203.0.113.7 7420', '203.0.113.7 7421'])
})

t.test('nobody has a parent search a network or call at the services of others', async (t) => {
  const { clock, dialBack, dialled } = stage()
  await t.rejects(dialBack.reach({ ...asked, swarm: 22 }), { code: 'refused' })
  for (let times = 0; times < 5; times += 1) await dialBack.reach(asked).catch(() => {})
  t.equal(dialled.length, 4, 'twice')
  clock.pass(limits.dialBackEveryMs)
  await dialBack.reach(asked)
  t.equal(dialled.length, 6)
  for (let index = 0; index < 50; index += 1) await dialBack.reach({ ...asked, node: `n${index}` }).catch(() => {})
  t.ok(dialled.length <= 6 + 2 * limits.dialBacksMax, `${dialled.length} dials`)
})
