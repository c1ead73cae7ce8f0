// Why a package is as it is on a node.

import t from 'tap'
import type { DesiredPackage } from '../../../src/model/desired.ts'
import type { Transfer } from '../../../src/model/report.ts'
import { problemsOf } from '../../../src/node/state/report-from.ts'
import { initialState, type State } from '../../../src/node/state/state.ts'
import { whyOf } from '../../../src/node/state/why.ts'
import type { Difference } from '../../../src/reconcile/differences.ts'
import type { WaitingPackage } from '../../../src/reconcile/waiting.ts'

const manifest = 'b'.repeat(64)
const desired: DesiredPackage = { state: 'present', name: 'shop', version: '2.0', manifest, line: 12 }
const difference: Difference = {
  ...{ name: 'shop', kind: 'deb', what: 'upgrade', cause: 'pending', from: '1.0', to: '2.0', manifest },
  ...{ found: '1.0 is installed', held: false },
}
const fresh = initialState({ name: 'shop-1', labels: {}, site: 'berlin', isRoot: false, checkIntervalMs: 1000 })
const body = { schema: 1, number: 7, released: 1, message: '', groups: {}, rules: [] } as const
const transfer: Transfer = {
  ...{ infoHash: 'c'.repeat(40), name: 'shop', version: '2.0', size: 4000, have: 1000, state: 'fetching' },
  ...{ fromParent: 0, fromSiblings: 0, overLink: 0, given: 0, startedAt: 1, completedAt: null },
}

function why(
  parts: {
    differs?: Partial<Difference> | null
    waits?: Partial<WaitingPackage>
    transfer?: Transfer
  } & Partial<State>,
) {
  const { differs = {}, waits, transfer = null, ...more } = parts
  const differences = differs === null ? [] : [{ ...difference, ...differs }]
  const waiting: WaitingPackage[] =
    waits === undefined ? [] : [{ name: 'shop', version: '2.0', manifest, for: 'payload', dependency: null, ...waits }]
  const plan = { schema: 1 as const, revision: 7, digest: 'a'.repeat(64), actions: [], waiting }
  const state: State = {
    ...fresh,
    ...{ desired: [desired], seen: { revision: 7, differences, plan } },
    revision: { digest: 'a'.repeat(64), body: { ...body, rules: [] }, named: new Set() },
    ...more,
  }
  return whyOf(state, 'shop', transfer)
}

const rule = 'the rule in line 12 of the policy decides'

t.test('why names the rule by its line, and that nothing is to be done', async (t) => {
  t.match(why({ differs: null }), { line: 12, waits: null, reason: `${rule}; nothing is to be done` })
  t.match(why({}), { reason: `${rule}; upgrade is planned` })
})

t.test('after a rollback the line is one of the policy of that time', async (t) => {
  const rolledBack = { digest: 'a'.repeat(64), body: { ...body, rules: [], rollbackTo: 3 }, named: new Set<string>() }
  t.match(why({ revision: rolledBack }).reason, /^the rule in line 12 of the policy of revision 3 decides/)
})

t.test('why names the wave, and when it opens', async (t) => {
  const detail =
    '3 of 3 of rollout careful@7; 1 is open, and it opens at 2026-11-24 22:00 Europe/Berlin at the earliest'
  const told = why({ waits: { for: 'wave', detail } })
  t.match(told, { waits: { for: 'wave', detail, until: null }, reason: `${rule}; waiting for its wave ${detail}` })
})

t.test('why says so if nobody has the payload', async (t) => {
  const waiting: Transfer = { ...transfer, state: 'waiting' }
  const told = why({ waits: {}, transfer: waiting }).reason
  t.equal(told, `${rule}; nobody who can be reached has the rest of its payload: 1000 of 4000 bytes (25 %) are here`)
  t.same(problemsOf(fresh, [transfer, waiting]), ['transfer: nobody who can be reached has the rest of shop 2.0'])
})

t.test('why names the window, and when it opens', async (t) => {
  const detail = 'nights, which opens at 2026-11-24 22:00 Europe/Berlin'
  const told = why({ waits: { for: 'window', until: 5_000, detail } })
  t.match(told, { waits: { for: 'window', until: 5_000 }, reason: `${rule}; waiting for its window ${detail}` })
})

t.test('why names the failure, how often it was, and when it is tried again', async (t) => {
  const failed = {
    ...{ name: 'shop', kind: 'deb' as const, manifest, revision: 7, failures: 3, because: 'postinst exit status 1' },
    ...{ failedAt: 0, nextTry: Date.parse('2026-11-24T21:00Z'), untilMs: 60_000 },
  }
  t.match(why({ quarantine: [failed] }), {
    quarantine: { failures: 3, because: 'postinst exit status 1' },
    reason: `${rule}; it failed 3 times in a row; next try at 2026-11-24T21:00:00.000Z: postinst exit status 1`,
  })
})

t.test('why names a hold by the administrator before all else, and how it is let go', async (t) => {
  const told = why({ differs: { held: true }, waits: { for: 'window', detail: 'nights' } })
  t.match(told, { held: true })
  t.equal(told.reason, `${rule}; upgrade held by this machine's administrator (apt-mark unhold shop)`)
})

t.test('why names the missing payload, how far it is, and what keeps it from coming', async (t) => {
  t.equal(
    why({ waits: {}, transfer }).reason,
    `${rule}; its payload is on the way: 1000 of 4000 bytes (25 %)`,
    'a swarmed one',
  )
  t.equal(why({ waits: {} }).reason, `${rule}; its payload is on the way`, 'one that comes as an object')
  t.match(
    why({ waits: {}, transfer, link: { kind: 'island', since: 0, because: 'no parent answers' } }).reason,
    /\(25 %\); no parent answers$/,
  )
  t.match(
    why({ waits: {}, transfer, problems: { room: 'shop 2.0 does not fit', load: 'x' } }).reason,
    /\(25 %\); shop 2\.0 does not fit$/,
  )
  t.match(why({ waits: { for: 'manifest' } }).reason, /; its manifest is on the way$/)
})

t.test('why knows what another package keeps back, and what no rule mentions', async (t) => {
  t.match(
    why({ waits: { for: 'dependency', dependency: 'libshop' } }).reason,
    /; waiting for libshop, which it depends on$/,
  )
  t.throws(() => why({ desired: [], differs: null }), { code: 'not-found' })
})
