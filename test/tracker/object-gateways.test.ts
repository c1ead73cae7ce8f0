// Who brings small objects to a site.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Member } from '../../src/tracker/memberships.ts'
import { createObjectGateways } from '../../src/tracker/object-gateways.ts'

function stage() {
  const members = new Map<string, Member>()
  const gateways = createObjectGateways({ table: { get: (node) => members.get(node) } })
  const announces = (node: string, nowMs: number, more: Partial<Member> = {}) => {
    const usual = {
      node,
      address: '10.0.0.1',
      scope: 'wide',
      port: 1,
      controlPort: 2,
      site: 's',
      isAcross: true,
      ownAddresses: [],
      unreached: new Set<string>(),
      isAlone: false,
    } as const
    const member = { ...usual, intervalMs: 1000, lastSeenMs: nowMs, draw: 0, infoHashes: [], missing: 0, ...more }
    members.set(node, member)
    return gateways.gatewayFor(member, nowMs)?.node
  }
  const complains = (node: string, about: string, nowMs: number) => {
    const member = members.get(node)
    if (member !== undefined) gateways.failed(member, about, nowMs)
  }
  return { announces, complains }
}

t.test('the first of a site asks the parent, and the others ask the first', async (t) => {
  const { announces } = stage()
  t.equal(announces('a', 0), undefined)
  t.equal(announces('b', 0), 'a')
  t.equal(announces('c', 0, { site: 'other' }), undefined, 'each site has its own')
  t.equal(announces('a', 500), undefined)
  t.equal(announces('d', 500, { unreached: new Set(['a']) }), undefined, 'who cannot reach it asks the parent')
})

t.test('a child at the parent’s own site asks the parent', async (t) => {
  const { announces } = stage()
  announces('a', 0)
  t.equal(announces('b', 0, { isAcross: false }), undefined)
})

t.test('one that nobody can ask is not named, and one that is late is replaced by who calls next', async (t) => {
  const { announces } = stage()
  t.equal(announces('mute', 0, { controlPort: 0 }), undefined)
  t.equal(announces('a', 0), undefined)
  t.equal(announces('mute', 0, { controlPort: 0 }), 'a')
  const lateMs = 1000 * limits.announceLateIntervals + 1
  t.equal(announces('b', lateMs), undefined, 'it is elected, and knows it at once')
  t.equal(announces('a', lateMs), 'b')
})

t.test(
  'one that fails its siblings rests for a while, and one that complains of others does not change much',
  async (t) => {
    const { announces, complains } = stage()
    announces('a', 0)
    t.equal(announces('b', 0), 'a')
    complains('b', 'x', 0)
    t.equal(announces('b', 0), 'a', 'only of whom it was sent to')
    complains('b', 'a', 0)
    t.equal(announces('b', 1), undefined, 'it is the next one')
    t.equal(announces('a', 2), 'b')
    complains('a', 'b', 3)
    t.equal(announces('a', 4), 'b', 'one change in a minute')
    const laterMs = limits.objectGatewayChangesEveryMs
    announces('b', laterMs)
    complains('a', 'b', laterMs)
    t.equal(announces('c', laterMs), undefined, 'both rest')
    t.equal(announces('a', laterMs + 1), 'c')
  },
)
