// When the sibling that brings small objects is asked, and when the parent.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createNearObjects, type NearNode } from '../../../src/node/parent/near-objects.ts'
import type { Http, TlsIdentity } from '../../../src/world/world.ts'

const sibling = (node: string, address = '10.0.0.1'): NearNode => ({ node, address, port: 7420 })

t.test('a sibling that fails rests, and after two of them the parent is asked for everything', async (t) => {
  let nowMs = 0
  const failures: string[] = []
  const unused = { after: () => ({ cancel: () => {} }), http: {} as Http, tls: () => ({}) as TlsIdentity }
  const near = createNearObjects({ ...unused, monotonicMs: () => nowMs })
  const named = (node: NearNode) => {
    near.set(node, { failed: () => failures.push(node.node), elsewhere: () => {} })
    return near.sibling() !== undefined
  }
  t.equal(near.sibling(), undefined, 'nobody is named')
  t.ok(named(sibling('a')))
  near.sibling()?.failed()
  t.same(failures, ['a'], 'it is told once')
  t.notOk(named(sibling('a')))
  t.ok(named(sibling('a', '10.0.0.2')), 'at another address it may answer')
  t.ok(named(sibling('b')))
  near.sibling()?.failed()
  t.notOk(named(sibling('c')), 'it may be cut off from all of them')
  t.same(failures, ['a', 'b'])
  nowMs = limits.nearObjectsRestMs
  t.ok(named(sibling('a')))
})
