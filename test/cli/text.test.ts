import t from 'tap'
import { factsText, tableText } from '../../src/cli/text/table.ts'
import { agoText, bytesText, countText } from '../../src/cli/text/units.ts'

t.test('ages are short, and never negative', async (t) => {
  const day = 24 * 3600_000
  const cases: [number, string][] = [
    [-5000, 'just now'],
    [999, 'just now'],
    [12_000, '12s ago'],
    [119_999, '119s ago'],
    [120_000, '2m ago'],
    [2 * 3600_000 - 1, '119m ago'],
    [2 * 3600_000, '2h ago'],
    [3 * day, '3d ago'],
  ]
  for (const [ms, text] of cases) t.equal(agoText(ms), text)
})

t.test('sizes have at most four digits before the point', async (t) => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [1024 * 1024 - 1, '1.0 MiB'],
    [21_299_200, '20.3 MiB'],
    [5 * 1024 ** 4, '5.0 TiB'],
  ]
  for (const [bytes, text] of cases) t.equal(bytesText(bytes), text)
})

t.test('counts agree with their noun', async (t) => {
  t.same(
    [0, 1, 2].map((count) => countText(count, 'difference')),
    ['0 differences', '1 difference', '2 differences'],
  )
})

t.test('tables align their columns and leave no blanks at the end', async (t) => {
  const text = tableText(
    [{ title: 'NODE' }, { title: 'N', align: 'right' }, { title: 'NOTE' }],
    [
      ['root', '1', 'fine'],
      ['zürich-7', '120', ''],
    ],
  )
  t.equal(text, ['NODE        N  NOTE', 'root        1  fine', 'zürich-7  120'].join('\n'))
})

t.test('facts that are not known are not shown', async (t) => {
  t.equal(factsText({ node: 'a', site: undefined, revision: '3', labels: '' }), 'node      a\nrevision  3')
})
