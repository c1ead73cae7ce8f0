import t from 'tap'
import { type Verdict, verdictOn } from '../../src/report/merge.ts'
import { reportOf } from './reports.ts'

// node x was below staging server a, and is below b now; c is another child; deep is a staging
// server below a.
const known = new Map([
  ['x', { counter: 5, digest: 'five', via: 'b' }],
  ['deep', { counter: 9, digest: 'nine', via: 'a' }],
])

function check(arrived: { counter: number; digest: string; from: string; parent: string | null }): Verdict {
  const report = reportOf('x', arrived.counter, { parent: arrived.parent })
  return verdictOn({ report, ...arrived }, (node) => known.get(node))
}

t.test('a report is newer, known, late or replayed', async (t) => {
  const cases: [string, Parameters<typeof check>[0], Verdict][] = [
    ['a greater counter', { counter: 6, digest: 'six', from: 'c', parent: 'c' }, 'newer'],
    ['the same once more', { counter: 5, digest: 'five', from: 'b', parent: 'b' }, 'duplicate'],
    ['the same by another way', { counter: 5, digest: 'five', from: 'a', parent: 'a' }, 'duplicate'],
    ['another with the same counter', { counter: 5, digest: 'other', from: 'a', parent: 'a' }, 'replayed'],
    ['older, by whom the newest came', { counter: 4, digest: 'four', from: 'b', parent: 'b' }, 'replayed'],
    ['older, by its parent of that time', { counter: 4, digest: 'four', from: 'a', parent: 'a' }, 'late'],
    [
      'older, by its parent of that time, further down',
      { counter: 4, digest: 'four', from: 'a', parent: 'deep' },
      'late',
    ],
    ['older, by one that it fell back to', { counter: 4, digest: 'four', from: 'c', parent: 'a' }, 'late'],
    ['older, of an island', { counter: 4, digest: 'four', from: 'a', parent: null }, 'late'],
  ]
  for (const [what, arrived, verdict] of cases) t.equal(check(arrived), verdict, what)
})

t.test('of two keys of a node the one that was certified later is heard, whatever the counters', async (t) => {
  const newest = { counter: 2 ** 53 - 1, digest: 'top', via: 'b', key: 'first', certifiedAt: 10 }
  const verdict = (key: string, certifiedAt: number) =>
    verdictOn({ report: reportOf('x', 7), digest: 'seven', from: 'b', key, certifiedAt }, () => newest)
  t.equal(verdict('second', 20), 'newer')
  t.equal(verdict('second', 5), 'former-key')
  t.equal(verdict('first', 20), 'replayed', 'a renewed certificate is for the same key')
})

t.test('the first report of a node is newer than nothing', async (t) => {
  t.equal(
    verdictOn({ report: reportOf('y', 0), digest: '', from: 'a' }, (node) => known.get(node)),
    'newer',
  )
})
