import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { parseReport, type Report } from '../../src/model/report.ts'
import { buildReport, reportWorthSending } from '../../src/report/build.ts'
import { isLarge } from '../large.ts'
import { outcomeOf, reportOf, transferOf } from './reports.ts'

const { schema: _, ...parts } = reportOf('a', 1)

t.test('a report says what it was told', async (t) => {
  const packages = [outcomeOf('curl'), outcomeOf('bash', { outcome: 'failed', detail: 'no space' })]
  const told = {
    ...parts,
    packages,
    transfers: [transferOf(1)],
    problems: ['disk is full'],
    facts: { 'os.id': 'debian' },
  }
  const report = buildReport(told)
  t.same(report, { schema: 1, ...told, packages: [...packages].reverse() })
})

t.test('what is too much is cut, and the report says so', async (t) => {
  const report = buildReport({
    ...parts,
    transfers: Array.from({ length: limits.reportTransfersMax + 3 }, (_, index) =>
      transferOf(index, index === 202 ? { state: 'failed' } : { state: 'complete', completedAt: index }),
    ),
    problems: Array.from({ length: limits.reportProblemsMax + 2 }, (_, index) => `problem ${index}`),
    attacks: Array.from({ length: limits.attacksKept + 1 }, (_, index) => ({
      kind: 'stranger' as const,
      from: '10.0.0.9',
      at: index,
      detail: '',
    })),
  })
  t.equal(report.transfers.length, limits.reportTransfersMax)
  t.same(
    report.transfers.slice(0, 2).map((transfer) => transfer.name),
    ['package-202', 'package-201'],
    'the unfinished and the newest stay',
  )
  t.same(report.problems.slice(-2), [
    '2 more problems are not in this report',
    '3 more transfers are not in this report',
  ])
  t.equal(report.attacks[0]?.at, 1, 'the newest attacks stay')
  t.equal('truncated' in report, false, 'no package is left out')
})

t.test('of too many packages those that need a look stay', async (t) => {
  const packages = Array.from({ length: limits.policyPackagesMax }, (_, index) =>
    outcomeOf(`package-${index}`, index % 100 === 0 ? { outcome: 'failed', detail: 'x'.repeat(1_000) } : {}),
  )
  const problems = Array<string>(limits.reportProblemsMax + 1).fill('disk is full')
  const transfers = Array.from({ length: limits.reportTransfersMax + 1 }, (_, index) => transferOf(index))
  const report = buildReport({ ...parts, packages, problems, transfers })
  t.equal(report.packages.filter((each) => each.outcome === 'failed').length, 100)
  t.equal(report.truncated, packages.length - report.packages.length)
  t.equal(report.problems.at(-1), `${report.truncated} more packages are not in this report`)
  t.ok(JSON.stringify(report).length <= limits.reportMaxBytes)
  t.ok(JSON.stringify(report).length > limits.reportMaxBytes - 2_000, 'the room is used')
})

t.test('facts that no report can carry are left out or made fit', async (t) => {
  const facts = {
    nan: Number.NaN,
    endless: Number.POSITIVE_INFINITY,
    'two\nlines': 'a\tb',
    long: 'x'.repeat(1_000),
    n: 1,
  }
  t.same(buildReport({ ...parts, facts }).facts, { 'two lines': 'a b', long: 'x'.repeat(limits.textMaxChars), n: 1 })
})

t.test('whatever a machine says of itself, its report is one that others take', async () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.string({ unit: 'binary', minLength: 1 }), fc.integer({ min: 1, max: 2_000 }))
      .map(([text, times]) => text.repeat(times)),
  )
  const told = fc.record({
    facts: fc.dictionary(texts, fc.oneof(texts, fc.double(), fc.boolean())),
    problems: fc.array(texts, { maxLength: 80 }),
    attacks: fc.array(fc.record({ kind: fc.constant('stranger' as const), from: texts, at: fc.nat(), detail: texts }), {
      maxLength: 30,
    }),
    packages: fc.array(
      fc
        .tuple(fc.constantFrom('failed', 'kept'), texts)
        .map(([outcome, detail]) => outcomeOf('p', { outcome: outcome as 'failed' | 'kept', detail })),
      { maxLength: 200 },
    ),
  })
  fc.assert(
    fc.property(told, (told) => {
      const json = JSON.stringify(buildReport({ ...parts, ...told }))
      parseReport(JSON.parse(json), 'report')
      assert(Buffer.byteLength(json) <= limits.reportMaxBytes)
    }),
    { numRuns: isLarge ? 100 : 30 },
  )
})

t.test('what changed is worth sending, how far a transfer has come is not', async (t) => {
  const before = reportOf('a', 1, { transfers: [transferOf(1)], facts: { a: 1, b: 2 } })
  const worth = (rest: Partial<Report>) => reportWorthSending(before, { ...before, counter: 2, ...rest })
  t.equal(reportWorthSending(undefined, before), true)
  t.equal(worth({}), false)
  t.equal(worth({ at: before.at + limits.heartbeatMs - 1 }), false)
  t.equal(worth({ at: before.at + limits.heartbeatMs }), true, 'a heartbeat')
  t.equal(worth({ at: before.at - 1 }), true, 'a clock set back')
  t.equal(worth({ transfers: [transferOf(1, { have: 5, fromParent: 5, overLink: 6, given: 1 })] }), false)
  t.equal(worth({ transfers: [transferOf(1, { state: 'complete', completedAt: 5 })] }), true)
  t.equal(worth({ facts: { b: 2, a: 1 } }), false)
  t.equal(worth({ facts: { a: 1, b: 3 } }), true)
  t.equal(worth({ state: 'pending' }), true)
  t.equal(worth({ problems: ['disk is full'] }), true)
})
