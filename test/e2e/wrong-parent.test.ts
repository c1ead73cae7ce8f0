// A node of the fleet that answers at the address of a staging server is not the parent there.

import t from 'tap'
import { startHostileParent } from './hostile-parent.ts'
import { addSettings, realTree } from './real-tree.ts'
import { until } from './until.ts'

t.setTimeout(280_000)

t.test('another node at the address of the parent is refused and named, and the hint helps', async (t) => {
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create', '--uses', '3')
  const stage = await tree.plant({ name: 'stage', site: 'berlin', parent: 'root', token })
  const child = await tree.plant({ name: 'child', site: 'berlin', parent: 'stage', token })
  const till = await tree.plant({ name: 'till', site: 'berlin', parent: 'root', token, run: false })
  await tree.publish('motd', '1.0', { motd: 'hello\n' })
  await tree.release('rules:\n  - nodes: all\n    packages: { motd: latest }\n')
  await tree.reports('child', 'has converged', ({ converged }) => converged === 1)

  await tree.stop('stage', 'SIGTERM')
  await addSettings(till.home, { controlPort: Number(new URL(stage.controlUrl).port) })
  const asked: string[] = []
  await startHostileParent(t, {
    home: till.home,
    above: tree.nodes.get('root')?.controlUrl ?? '',
    deed: (request, honest) => {
      asked.push(request.path)
      return honest()
    },
  })

  const attack = await tree.attacked('child', 'wrong-parent', /answers as till, and the parent there is stage/)
  t.equal(attack.from, 'till', 'the report names the node that answered')
  await tree.logged('child', /warn attack attack=wrong-parent from=till/)
  await until('the child says whom it does not take for its parent', async () => {
    const { link } = (await tree.ask('child', '/status')) as { link: { kind: string; because?: string } }
    return link.kind === 'island' && /answers as till, and the parent there is stage/.test(link.because ?? '')
  })
  const doctor = () => tree.banyan(['doctor', '--home', child.home])
  const sick = await doctor()
  const [, hinted = ''] = /write (https:\S+) under parents in node\.yaml and restart banyan/.exec(sick.stdout) ?? []
  t.match(sick, { code: 1, stdout: /^wrong +parents +https:.* answers as till, and the parent there is stage$/m })

  // The operator gave the till that place on purpose, and does as the hint says.
  await tree.publish('motd', '2.0', { motd: 'hello again\n' })
  await tree.release('rules:\n  - nodes: all\n    packages: { motd: latest }\n')
  await tree.stop('child', 'SIGTERM')
  await addSettings(child.home, { parents: [hinted] })
  await tree.start('child')
  await tree.reports('child', 'goes on below the till', ({ converged }) => converged === 2)
  await until('the doctor is content', async () => (await doctor()).code === 0)
  t.ok(asked.includes('/v1/watch'))
})
