// Refused reports: what the sender does with them, and what the root makes of the word of others.

import t from 'tap'
import { parseReportsAnswer } from '../../src/model/wire/reports-answer.ts'
import { answeredOf } from '../../src/node/parent/report-sending.ts'
import { buildReport, reportWorthSending } from '../../src/report/build.ts'
import { openOutbox } from '../../src/report/outbox.ts'
import { refusedIn } from '../../src/report/refusals.ts'
import { nodeInfoOf, summaryOf } from '../../src/report/summary.ts'
import { knownFrom, machine, reportOf, signedOf } from './reports.ts'

const now = 1_800_000_000_000

t.test('a refused report stays and is not sent again before its time, and others go on', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  await outbox.put([signedOf('a', 1), signedOf('b', 1)])
  const first = await outbox.take()
  t.same(first?.nodes, ['a', 'b'])
  await first?.acknowledge(new Set(['a']))
  t.equal(outbox.size(), 1)
  t.equal(await outbox.take(), undefined)
  await outbox.put([signedOf('c', 1)])
  t.same((await outbox.take())?.nodes, ['c'])
  outbox.retry()
  t.same((await outbox.take())?.nodes, ['a', 'c'])
})

t.test('a newer report of a refused node is sent at once', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  await outbox.put([signedOf('a', 1)])
  await (await outbox.take())?.acknowledge(new Set(['a']))
  await outbox.put([signedOf('a', 2)])
  t.same((await outbox.take())?.nodes, ['a'])
})

t.test('an answer names the refused reports by their place', async (t) => {
  const clocks = { askedAt: now, now: now + 200 }
  const refused = [
    { index: 1, reason: 'words', retry: 'later' as const },
    { index: 7, reason: 'of nobody', retry: 'never' as const },
  ]
  t.same(answeredOf(['a', 'b', 'c'], { refused, now: now - 60_000 }, clocks), {
    accepted: ['a', 'c'],
    refused: [{ node: 'b', reason: 'words', retry: 'later' }],
    clockAheadMs: 60_100,
  })
})

t.test('the answer of a parent of an earlier version refuses nothing', async (t) => {
  const answer = parseReportsAnswer({ accepted: 2 }, 'answer')
  t.same(answeredOf(['a'], answer, { askedAt: now, now }), { accepted: ['a'], refused: [] })
})

t.test('a reason that would write to a terminal is no answer', async (t) => {
  const refused = [{ index: 0, reason: 'clock \u001b[2J', retry: 'later' }]
  t.throws(() => parseReportsAnswer({ accepted: 0, refused }, 'answer'), { code: 'bad-input' })
})

const refusing = (node: string, ...names: string[]) =>
  reportOf(node, 1, {
    at: now,
    refusals: names.map((name) => ({ node: name, reason: 'its clock', first: now, last: now, count: 1 })),
  })

t.test('an ancestor has a node refused, and any other node has not', async (t) => {
  const parents = { root: null, staging: 'root', client: 'staging', other: 'root' }
  const known = (...reports: ReturnType<typeof refusing>[]) =>
    Object.entries(parents).map(([node, parent]) => {
      const report = reports.find((each) => each.node === node) ?? reportOf(node, 1, { at: now })
      return knownFrom({ ...report, parent }, node === 'client' ? now - 1000 : now)
    })
  const told = (...reports: ReturnType<typeof refusing>[]) => [...refusedIn(known(...reports), now).keys()]
  t.same(told(refusing('staging', 'client')), ['client'])
  t.same(told(refusing('root', 'client')), ['client'])
  t.same(told(refusing('other', 'client')), [])
  t.same(told(refusing('staging', 'new')), ['new'], 'of an unknown node there is no other word')
  t.same([...refusedIn(known(refusing('staging', 'client')), now + 3600_000).keys()], [], 'nor does an old one count')
  t.match(summaryOf(known(refusing('staging', 'client')), now, 4), { refused: 1, converged: 3 })
})

t.test('a report of the node itself ends its refusal', async (t) => {
  const staging = knownFrom({ ...refusing('staging', 'client'), parent: null }, now)
  const client = knownFrom(reportOf('client', 1, { at: now, parent: 'staging' }), now + 1)
  t.same([...refusedIn([staging, client], now + 2).keys()], [])
})

t.test('a node whose clock is behind is as old as its report is', async (t) => {
  const late = knownFrom(reportOf('x', 1, { at: now - 3600_000, clockAheadMs: -3600_000 }), now)
  t.match(nodeInfoOf(late, now + 1000, 4), { ageMs: 1000, condition: 'converged' })
  const ahead = knownFrom(reportOf('x', 1, { at: now - 3600_000, clockAheadMs: 3600_000 }), now)
  t.match(nodeInfoOf(ahead, now, 4), { ageMs: 3600_000 }, 'a clock that is ahead makes nothing younger')
})

t.test('each retry of a refused child is no news', async (t) => {
  const { schema: _, ...before } = refusing('staging', 'client')
  const [refusal] = before.refusals ?? []
  const again = { ...before, refusals: refusal === undefined ? [] : [{ ...refusal, last: now + 9, count: 2 }] }
  t.notOk(reportWorthSending(buildReport(before), buildReport({ ...again, clockAheadMs: 5 })))
  t.ok(reportWorthSending(buildReport(before), buildReport({ ...before, refusals: [] })))
})
