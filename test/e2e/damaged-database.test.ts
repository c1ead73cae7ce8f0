// Real nodes whose databases are damaged while they are down: a root and a child of it at once.

import { rm } from 'node:fs/promises'
import t from 'tap'
import type { Report } from '../../src/model/report.ts'
import { isLarge } from '../large.ts'
import { damages } from '../world/database-damage.ts'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

t.setTimeout(600_000)

const policy = (packages: string) => `rules:\n  - nodes: all\n    packages: { ${packages} }\n`

/** The ways that differ most come first; the rest is for the large form. */
const ways = [
  'the whole folder is missing',
  'CURRENT is missing',
  'MANIFEST is cut',
  'a table has flipped bits all over',
  'CURRENT is empty',
  'CURRENT is garbage',
  'MANIFEST is missing',
  'MANIFEST has a flipped bit',
  'a table is cut',
  'a table is missing',
  'all tables are empty',
  'the log is missing',
  'the folder is a file',
] as const

t.test('a node whose database was damaged keeps its records and its place, and a root its nodes', async (t) => {
  t.setTimeout(600_000)
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  const leaf = await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  const home = (name: string) => tree.nodes.get(name)?.home ?? ''
  await tree.publish('stays', '1.0', { file: 'stays' })
  for (const n of ways.keys()) await tree.publish('goes', `${n}.0`, { file: `goes ${n}` })
  let counter = 0
  const off = await tree.plant({
    ...{ name: 'off', site: 'berlin', parent: 'root', token: await tree.must('root', 'token', 'create') },
  })
  await tree.reports('off', 'has reported', () => true)
  await tree.stop(off.name, 'SIGTERM')

  for (const [n, way] of ways.slice(0, isLarge ? ways.length : 4).entries()) {
    await tree.release(policy(`stays: latest, goes: ${n}.0`), '--allow-removals')
    const hasConverged = ({ revision, converged }: Report, to: number) => revision === to && converged === to
    const before = await tree.reports('leaf', 'has both', (report) => hasConverged(report, 2 * n + 1))
    const isKnown = async () => (await tree.report('leaf', 'root')).converged === before.revision
    await until('the root knows', isKnown)
    await Promise.all(['root', 'leaf'].map((name) => tree.stop(name, 'SIGTERM')))
    for (const name of ['root', 'leaf']) {
      await rm(`${home(name)}/state.damaged`, { recursive: true, force: true })
      damages[way]?.(`${home(name)}/state`)
    }
    if (n === 0) {
      const { stdout } = await tree.banyan(['doctor', '--home', home('leaf')])
      t.match(stdout, /^wrong +database +it is damaged: it is missing\n +hint: start the daemon/m, 'the doctor sees it')
    }
    const from = Date.now()
    await tree.start('root')
    await tree.start('leaf')
    await tree.release(policy('stays: latest'), '--allow-removals')
    const after = await tree.reports('leaf', `${way}: has one`, (report) => hasConverged(report, 2 * n + 2))
    t.comment(`${way}: the next release is there after ${Date.now() - from} ms`)
    t.ok(after.counter > before.counter && before.counter > counter, `${way}: counters only grow`)
    counter = after.counter
    t.notOk(
      Object.keys(tree.machine('leaf')).some((path) => path === 'opt/goes/current'),
      `${way}: removed`,
    )
    t.ok(
      Object.keys(tree.machine('leaf')).some((path) => path === 'opt/stays/current'),
      `${way}: kept`,
    )
    const lines = tree.log('leaf').concat(tree.log('root')).join('\n')
    t.notMatch(lines, /^error: .*(LEVEL|orruption|IO error)/m, 'nothing of LevelDB for a person')
    if (n === 0) {
      t.match(after.problems.join('\n'), /the database was damaged \(it was missing\)/, 'the report says so')
      t.match((await tree.banyan(['status', '--home', leaf.home])).stdout, /the database was damaged/)
      t.match((await tree.banyan(['doctor', '--home', leaf.home])).stdout, /the database was damaged/)
    }
  }
  const nodes = (await tree.ask('root', '/nodes')) as { nodes: { node: string }[] }
  t.same(nodes.nodes.map(({ node }) => node).sort(), ['leaf', 'off', 'root'], 'also one that was off all the while')
  const late = await tree.must('root', 'token', 'create')
  await tree.plant({ name: 'late', site: 'berlin', parent: 'root', token: late })
  await tree.reports('late', 'has one', ({ packages }) => packages.some(({ name }) => name === 'stays'))
})
