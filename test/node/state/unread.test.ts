// What nobody could look at keeps a node from having converged, and is said.

import t from 'tap'
import { checkText, verdictOf } from '../../../src/cli/text/check.ts'
import type { Outcome } from '../../../src/model/report.ts'
import { checkFrom } from '../../../src/node/state/check.ts'
import type { Event } from '../../../src/node/state/events.ts'
import { conditionOf } from '../../../src/node/state/report-from.ts'
import { initialState, type State } from '../../../src/node/state/state.ts'
import { transition } from '../../../src/node/state/transition.ts'

const digest = 'a'.repeat(64)
const body = { schema: 1, number: 7, released: 1, message: '', groups: {}, rules: [] } as const
const start: State = {
  ...initialState({ name: 'n', labels: {}, site: null, isRoot: true, checkIntervalMs: 1000 }),
  revision: { digest, body: { ...body, groups: {}, rules: [] }, named: new Set() },
}
const plan = { schema: 1 as const, revision: 7, digest, actions: [], waiting: [] }
const unread: Outcome = {
  ...{ name: 'shop', kind: 'deb', outcome: 'unread', version: '1.0', before: '1.0', difference: null },
  detail: 'its list of checksums cannot be read',
}
const lookWith = (kept: Outcome[]): Event => {
  return { kind: 'inspected', revision: 7, rollouts: null, differences: [], plan, kept, records: [] }
}

t.test('a node with a package that nobody could look at has not converged, and says so', async (t) => {
  const [blind] = transition(start, lookWith([unread]))
  t.equal(blind.converged, null)
  t.equal(conditionOf(blind, 1), 'pending')
  t.match(blind.problems, { unread: /could not be looked at: shop \(its list of checksums cannot be read\)/ })
  const [seeing] = transition(blind, lookWith([{ ...unread, outcome: 'kept' }]))
  t.equal(seeing.converged, 7)
  t.equal(conditionOf(seeing, 1), 'converged')
  t.same(seeing.problems, {})
  t.equal(conditionOf(transition(seeing, lookWith([unread]))[0], 1), 'pending', 'nor one that had converged before')
})

t.test('a check names what nobody could look at, and does not call the machine converged', async (t) => {
  const check = checkFrom(start, { plan, differences: [], kept: [unread] })
  t.match(check.unread, [{ name: 'shop', kind: 'deb', version: '1.0', why: 'its list of checksums cannot be read' }])
  t.equal(verdictOf(check), 'unread')
  t.match(
    checkText(check),
    /in what could be looked at[\s\S]*1 package could not be looked at[\s\S]*shop +1\.0 +its list/,
  )
  t.notOk('unread' in checkFrom(start, { plan, differences: [], kept: [] }))
})
