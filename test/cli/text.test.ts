import t from 'tap'
import { nodeInfoText } from '../../src/cli/text/node-info.ts'
import { statusText } from '../../src/cli/text/status.ts'
import { factsText, tableText } from '../../src/cli/text/table.ts'
import { agoText, bytesText, countText, ratioText } from '../../src/cli/text/units.ts'
import { measured, node, noNodes, status } from './answers.ts'

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

t.test('ratios have as many digits as say something', async (t) => {
  const shown = { 1: '1.000', 1.00449: '1.004', 9.9999: '10.000', 12.34: '12.3', 1234.5: '1235' }
  for (const [ratio, text] of Object.entries(shown)) t.equal(ratioText(Number(ratio)), text)
  t.equal(ratioText(undefined), '-')
})

t.test('a status shows how far sites and staging servers were from their bound, and the limits in force', async (t) => {
  const distance = { payloadBytes: 10, linkBytes: 11, overLink: 1.1, worstOverLink: 1.1, worstTime: null }
  const text = statusText(
    {
      ...status,
      sites: [
        { ...noNodes, site: 'berlin', nodes: 1, converged: 1, distance: null },
        { ...noNodes, site: 'oslo', nodes: 2, converged: 2, distance },
      ],
      parents: [
        {
          ...{ ...noNodes, parent: 'staging', ageMs: 0, nodes: 1, converged: 1 },
          distance: { ...distance, worstTime: 1.25 },
        },
      ],
      rates: { upload: 1_048_576, download: null, link: { upload: null, download: 2_048 } },
    },
    0,
  )
  t.match(text, /^limits +upload 1\.0 MiB\/s, link download 2\.0 KiB\/s$/m)
  t.match(text, /^SITE +NODES +CONVERGED +LINK \/ PAYLOAD\nberlin +1 +1 +-\noslo +2 +2 +1\.100$/m)
  t.match(text, /^PARENT .* WORST TIME \/ BOUND\nstaging +1 +1 +1\.100 +1\.250$/m)
  t.match(statusText({ rates: { upload: null, download: null, link: {} } }, 0), /^limits +none$/m)
})

t.test('of a node the last transfers are shown with their distances', async (t) => {
  const distances = [
    {
      ...measured,
      ...{ name: 'tool', version: '1.0', overLink: 0.004, fromSiblings: 0.996, durationMs: 5_370, time: 1.02 },
    },
    measured,
  ]
  const text = nodeInfoText({ ...node, distances }, 0)
  t.match(text, /^tool +1\.0 +2\.0 KiB +0\.004 +100 % +5\.4 s +1\.020$/m)
  t.match(text, /^shop +4\.1 +2\.0 KiB +1\.000 +0 % +90 s +-$/m)
})
