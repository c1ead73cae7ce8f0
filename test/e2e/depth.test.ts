// A tree of three levels: what the root releases reaches a client below two staging servers, and
// goes away again.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

const MiB = 1024 * 1024

t.test('root, staging server, staging server, client: install, upgrade, remove', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create', '--uses', '3')
  await tree.plant({ name: 'continent', site: 'continent', parent: 'root', token })
  await tree.plant({ name: 'town', site: 'town', parent: 'continent', token })
  await tree.plant({ name: 'leaf', site: 'town', parent: 'town', token, labels: ['role=web'] })

  await tree.publish('atlas', '1.0.0', { 'maps/world': randomBytes(6 * MiB) })
  await tree.publish('note', '1.0.0', { text: 'small enough to travel as an object' })
  const web = (packages: string) =>
    `groups:\n  web: { labels: { role: web } }\nrules:\n  - nodes: [web]\n    packages: ${packages}\n`
  await tree.release(web('{ atlas: latest, note: latest }'))

  const first = await tree.reports('leaf', 'converges to revision 1', (report) => report.converged === 1)
  t.strictSame(
    first.packages.map(({ name, version }) => `${name} ${version}`),
    ['atlas 1.0.0', 'note 1.0.0'],
  )
  t.ok(tree.machine('leaf')['opt/atlas/current'], 'it is installed on the client')
  for (const server of ['continent', 'town']) t.strictSame(tree.machine(server), {}, `and not on ${server}`)

  const link = async (name: string) => (await tree.report(name)).transfers.find((each) => each.name === 'atlas')
  for (const server of ['continent', 'town']) {
    const transfer = await until(`${server} has the payload`, async () => {
      const found = await link(server)
      return found?.state === 'complete' && found
    })
    t.ok(transfer.overLink <= 1.05 * transfer.size, `${server}: ${transfer.overLink} bytes over its link`)
    t.ok(transfer.overLink >= transfer.size, 'which really came over it')
  }

  await tree.publish('atlas', '2.0.0', { 'maps/world': randomBytes(6 * MiB) })
  await tree.release(web('{ atlas: latest, note: latest }'))
  await tree.reports('leaf', 'converges to revision 2', (report) => report.converged === 2)
  t.equal(tree.machine('leaf')['opt/atlas/current'], 'link to versions/2.0.0')

  await tree.release(web('{ atlas: 1.0.0 }'), '--allow-removals')
  await tree.reports('leaf', 'converges to revision 3', (report) => report.converged === 3)
  t.equal(tree.machine('leaf')['opt/atlas/current'], 'link to versions/1.0.0', 'a downgrade that the policy asks for')
  t.notOk(tree.machine('leaf')['opt/note/current'], 'what the policy no longer mentions is gone')

  await until('the root knows of all four', async () => {
    const { nodes } = (await tree.ask('root', '/nodes')) as { nodes: { node: string; converged: number }[] }
    return nodes.length === 4 && nodes.every((node) => node.converged === 3)
  })

  // A daemon that is not done after limits.stopMs says so and ends with 1.
  const ends = await Promise.all([...tree.nodes.keys()].map((name) => tree.stop(name, 'SIGTERM')))
  t.strictSame(new Set(ends.map(({ code }) => code)), new Set([0]), 'SIGTERM ends every daemon clean and in time')
})
