// Where a parent can send its children.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createDialGuard, isPlausible } from '../../../src/node/parent/dial-guard.ts'
import { handClock } from '../../tracker/hand-clock.ts'

const here = { parentAddress: '10.1.0.1', swarmPort: 7431, own: ['192.168.7.20', 'fd00:1:2:3::20'] }

t.test('a child dials in networks of the subtree, or at ports of the fleet', async (t) => {
  const places: [address: string, port: number, isDialled: boolean, what: string][] = [
    ['10.1.0.77', 40_000, true, 'in the network of the parent'],
    ['192.168.7.21', 40_000, true, 'in its own network'],
    ['fd00:1:2:3::99', 40_000, true, 'in its own network of another kind'],
    ['203.0.113.9', 7421, true, 'anywhere, at the usual port'],
    ['203.0.113.9', 7431, true, 'anywhere, at its own port'],
    ['203.0.113.9', 40_000, false, "somebody else's machine"],
    ['10.1.0.77', 22, false, 'a service of a neighbour'],
    ['203.0.113.9', 443, false, "somebody else's service"],
    ['127.0.0.1', 7421, false, 'itself'],
    ['::1', 7421, false, 'itself'],
    ['169.254.169.254', 7421, false, 'what only its link can reach'],
    ['::ffff:127.0.0.1', 7421, false, 'itself in disguise'],
  ]
  for (const [address, port, isDialled, what] of places) {
    t.equal(isPlausible({ address, port }, here), isDialled, `${what}: ${address} ${port}`)
  }
  t.ok(isPlausible({ address: '127.0.0.1', port: 40_000 }, { ...here, parentAddress: '127.0.0.1' }))
  t.ok(isPlausible({ address: '203.0.113.9', port: 7421 }, { ...here, parentAddress: 'stage.example' }))
})

t.test('new places are few at a time, and known ones stay', async (t) => {
  const clock = handClock()
  const guard = createDialGuard({ monotonicMs: clock.monotonicMs, swarmPort: () => 7421, ownAddresses: () => [] })
  const dialled = (from: number, count: number) =>
    Array.from({ length: count }, (_, n) => ({
      address: `10.9.${Math.floor((from + n) / 200)}.${(from + n) % 200}`,
    })).filter(({ address }) => guard.mayDial({ address, port: 7421 }, '10.1.0.1')).length
  t.equal(dialled(0, 500), limits.dialledNewMax)
  clock.pass(10_000)
  t.equal(dialled(1000, 500), 10, 'and one a second then')
  t.equal(dialled(0, limits.dialledNewMax), limits.dialledNewMax, 'those of before are dialled as ever')
})
