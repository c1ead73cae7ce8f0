import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Revision } from '../../../src/model/revision.ts'
import { createChildWants } from '../../../src/node/children/child-wants.ts'
import { startUnkeptWords } from '../../../src/node/children/unkept-words.ts'
import { knownFrom, reportOf } from '../../report/reports.ts'
import { quietLog } from '../../repository/workbench.ts'
import { handClock } from '../../tracker/hand-clock.ts'

const manifest = 'a'.repeat(64)
const body = {
  groups: { web: { labels: { role: 'web' } } },
  rules: [
    {
      ...{ line: 1, nodes: ['web'], except: [] },
      packages: { shop: { state: 'present', builds: { all: { version: '1.0', manifest } } } },
    },
  ],
} as unknown as Revision

function parent() {
  const clock = handClock()
  const reports = new Map<string, ReturnType<typeof reportOf>>()
  const refused: string[] = []
  const wants = createChildWants({
    ...{ clock, log: quietLog, revision: () => ({ digest: 'd'.repeat(64), body, named: new Set([manifest]) }) },
    inbox: {
      knowledgeOf: (node) => {
        const report = reports.get(node)
        return report && { ...knownFrom(report), digest: JSON.stringify(report.labels) }
      },
      hasBelow: (child) => child === 'staging',
      report: async (node) => reports.get(node),
    },
    onRefused: (node) => refused.push(node),
  })
  const may = (node: string, index = 1) => wants.may(node, { infoHash: index.toString(16).padStart(40, '0'), manifest })
  return { clock, reports, refused, may }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

t.test('a parent fetches for a child what the policy gives it by its signed report', async (t) => {
  const { clock, reports, refused, may } = parent()
  reports.set('db', reportOf('db', 1, { labels: { role: 'db' } }))
  reports.set('web', reportOf('web', 1, { labels: { role: 'web' } }))
  t.ok(may('db'), 'until the report is read')
  may('web')
  await settled()
  t.same([may('web'), may('db'), may('staging')], [true, false, true])
  t.same(refused, [], 'a report with new labels may be on its way')
  clock.pass(limits.wantsRefusedToldMs)
  t.notOk(may('db'))
  t.same(refused, ['db'])
  reports.set('db', reportOf('db', 1, { labels: { role: 'web' } }))
  may('db')
  await settled()
  t.ok(may('db'), 'which counts at once')
})

t.test('of a child without a report a parent fetches a few payloads', async (t) => {
  const { may } = parent()
  const asked = Array.from({ length: limits.wantsUnreportedMax * 2 }, (_, index) => may('new', index))
  t.equal(asked.filter(Boolean).length, limits.wantsUnreportedMax)
  t.same([may('new', 0), may('new', 99)], [true, false], 'always the same')
})

t.test('words that do not hold are told by name and reason, in few lines, and for an hour', async (t) => {
  const clock = handClock()
  const lines: unknown[] = []
  const problems: (string | null)[] = []
  const log = { ...quietLog, warn: (_: string, fields: unknown) => void lines.push(fields) }
  const onProblem = (problem: string | null) => void problems.push(problem)
  const words = startUnkeptWords({ clock, log, nameOf: () => 'shop 1.0', onProblem })
  const infoHash = '0'.repeat(40)
  for (let times = 0; times < 50; times += 1) words.add({ kind: 'gave-nothing', node: 'till', infoHash })
  t.equal(lines.length, limits.linesOfSenderMax)
  t.equal(
    problems.at(-1),
    'children whose word does not hold: till says that it has shop 1.0 whole, and its siblings received nothing from it',
  )
  for (let node = 0; node < 50; node += 1) words.add({ kind: 'too-many', node: `n${node}` })
  t.match(problems.at(-1), /n49 says that it has more than 20000 payloads; and 17 more$/)
  clock.pass(limits.unkeptToldMs)
  t.equal(problems.at(-1), null)
  words.stop()
})
