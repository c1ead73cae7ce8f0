// Who brings small objects to a site.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Member } from '../../src/tracker/memberships.ts'
import { createObjectGateways } from '../../src/tracker/object-gateways.ts'

function stage() {
  const members = new Map<string, Member>()
  const poor = new Set<string>()
  const gateways = createObjectGateways({
    table: { get: (node) => members.get(node) },
    standings: { of: (node) => (poor.has(node) ? 'poor' : 'new') },
  })
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
  return { announces, complains, poor }
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

t.test('who complains gets another one, and the others keep theirs', async (t) => {
  const { announces, complains } = stage()
  announces('a', 0)
  t.equal(announces('b', 0), 'a')
  complains('b', 'x', 0)
  t.equal(announces('b', 0), 'a', 'only of whom it was sent to')
  complains('b', 'a', 0)
  t.equal(announces('b', 1), undefined, 'it asks its parent, and is there for others')
  t.equal(announces('c', 1), 'a', 'one voice says little')
  t.equal(announces('a', 1), undefined)
  complains('c', 'a', 2)
  t.equal(announces('c', 2), 'b', 'no further copy comes over the link')
  t.equal(announces('d', 3), 'b', 'two voices count for everybody')
  t.equal(announces('a', 3), 'b')
  complains('d', 'b', 4)
  t.equal(announces('d', 4), undefined)
  t.equal(announces('e', 4), 'b')
  t.equal(announces('b', 4), undefined)
})

t.test('a child that complains of everybody harms nobody', async (t) => {
  const { announces, complains } = stage()
  announces('a', 0)
  for (let ms = 1; ms < 1000; ms += 1) {
    const named = announces('liar', ms)
    if (named !== undefined) complains('liar', named, ms)
    t.equal(announces('b', ms), 'a')
  }
})

t.test('after a while a sibling that failed is tried again, and at another address at once', async (t) => {
  const { announces, complains } = stage()
  announces('a', 0)
  announces('b', 0)
  complains('b', 'a', 0)
  t.equal(announces('b', 1), undefined)
  t.equal(announces('a', 2, { address: '10.0.0.9' }), undefined)
  t.equal(announces('b', 3), 'a', 'it has moved')
  complains('b', 'a', 3)
  t.equal(announces('b', 4), undefined)
  const laterMs = 3 + limits.nearObjectsRestMs
  announces('a', laterMs, { address: '10.0.0.9' })
  t.equal(announces('b', laterMs), 'a')
  t.equal(announces('c', laterMs), 'a')
})

t.test('one whose word did not hold brings objects only where there is nobody else', async (t) => {
  const { announces, complains, poor } = stage()
  poor.add('p').add('q')
  t.equal(announces('p', 0), undefined)
  t.equal(announces('q', 0), 'p', 'better than a copy for each')
  t.equal(announces('a', 1), undefined)
  t.equal(announces('p', 2), 'a')
  t.equal(announces('b', 2), 'a')
  complains('p', 'a', 3)
  complains('q', 'a', 3)
  t.equal(announces('b', 4), 'a', 'and its complaint is no voice')
})

t.test('children that do not reach each other have one for each circle', async (t) => {
  const { announces } = stage()
  announces('a', 0)
  const apart = { unreached: new Set(['a']) }
  t.equal(announces('b', 0, apart), undefined)
  t.equal(announces('c', 0, apart), 'b')
  t.equal(announces('d', 0), 'a')
  t.equal(announces('lone', 0, { isAlone: true }), undefined)
  t.equal(announces('e', 0, { unreached: new Set(['a', 'b']) }), undefined, 'one that is alone is no use to it')
})
