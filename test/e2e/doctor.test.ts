// `banyan doctor` on real nodes: a healthy one, one whose daemon is down, one whose parent is gone,
// and none at all.

import { createServer } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

t.test('a doctor says what is wrong with a node, whether or not its daemon runs', async (t) => {
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  await tree.plant({ name: 'shop', site: 'berlin', parent: 'root', token })
  await tree.publish('motd', '1.0', { motd: 'hello\n' })
  await tree.release('rules:\n  - nodes: all\n    packages: { motd: latest }\n')
  await tree.reports('shop', 'has converged', ({ converged }) => converged === 1)
  const home = (name: string) => tree.nodes.get(name)?.home ?? path.join(tree.folder, name)
  const doctor = (name: string, ...options: string[]) => tree.banyan(['doctor', ...options, '--home', home(name)])

  const healthy = await doctor('shop')
  t.match(healthy, { code: 0, stdout: /^nothing is wrong$/m })
  for (const line of [
    /^fine +certificate +it holds until 20/m,
    /^fine +daemon +it runs: converged$/m,
    /^fine +parents +https:/m,
    /^fine +reach +port \d+ at 127\.0\.0\.1 answers https:/m,
  ]) {
    t.match(healthy.stdout, line)
  }
  t.match(await doctor('root'), { code: 0 }, 'a root is healthy without a parent')

  await tree.stop('root', 'SIGTERM')
  await until('the node sees that it is an island', async () => {
    const { stdout } = await doctor('shop')
    return /no parent answers it/.test(stdout)
  })
  const island = await doctor('shop')
  t.match(island, { code: 1, stdout: /^wrong +parents +https:.* cannot be asked: .*\n +hint: .*firewall/m })

  const controlPort = Number(new URL(tree.nodes.get('root')?.controlUrl ?? '').port)
  const squatter = createServer().listen(controlPort, '127.0.0.1')
  t.teardown(() => squatter.close())
  await until('the port is taken', () => squatter.listening)
  const down = await doctor('root')
  t.match(down, { code: 1, stdout: /^wrong +daemon .*\n +hint: systemctl start banyan, or banyan node --home/m })
  t.match(down.stdout, new RegExp(`^wrong +ports +something else listens on port ${controlPort}$`, 'm'))

  const none = await doctor('nobody', '--json')
  t.equal(none.code, 1)
  t.match(JSON.parse(none.stdout).findings, [{ about: 'settings', state: 'wrong', hint: /banyan join/ }])
})
