// Two real daemons with copies of one home.

import { cp, mkdir } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import type { TreeNode } from '../../src/cli/demo/tree.ts'
import { addSettings, realTree } from './real-tree.ts'
import { until } from './until.ts'

t.setTimeout(150_000)

t.test('a home that runs twice is told by status, nodes and node-info, with what to do', async (t) => {
  t.setTimeout(150_000)
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  const leaf = await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  await tree.publish('tool', '1.0', { file: '1' })
  await tree.release('rules:\n  - nodes: all\n    packages: { tool: latest }\n')
  await tree.reports('leaf', 'has converged', ({ converged }) => converged === 1)

  await tree.stop('leaf', 'SIGTERM')
  const folder = path.join(tree.folder, 'copy')
  const copy: TreeNode = { ...leaf, home: path.join(folder, 'home'), targetRoot: path.join(folder, 'machine') }
  await mkdir(folder)
  const filter = (file: string) => !file.startsWith(path.join(leaf.home, 'run'))
  await cp(leaf.home, copy.home, { recursive: true, verbatimSymlinks: true, filter })
  await cp(leaf.targetRoot, copy.targetRoot, { recursive: true, verbatimSymlinks: true })
  // Both are on one machine here, so one of them needs other ports.
  await addSettings(copy.home, { controlPort: 0, swarmPort: 0, targetRoot: copy.targetRoot })
  const nodes = tree.nodes as Map<string, TreeNode>
  nodes.set('copy', copy)
  await tree.start('leaf')
  await tree.start('copy')
  for (const version of ['2.0', '3.0', '4.0']) {
    await tree.publish('tool', version, { file: version })
    await tree.release('rules:\n  - nodes: all\n    packages: { tool: latest }\n')
    for (const name of ['leaf', 'copy']) {
      const has = () => tree.machine(name)['opt/tool/current']?.includes(version) ?? false
      await until(`${name} has ${version}`, has, 60_000)
    }
  }
  const root = tree.nodes.get('root')?.home ?? ''
  const isTold = async () =>
    /leaf runs on 2 machines at once/.test((await tree.banyan(['status', '--home', root])).stdout)
  await until('status tells it', isTold, 60_000)
  t.match((await tree.banyan(['status', '--home', root])).stdout, /On all of them but one: banyan join --again/)
  t.match((await tree.banyan(['nodes', '--home', root])).stdout, /^leaf .*, on 2 machines/m)
  const { stdout } = await tree.banyan(['node-info', 'leaf', '--home', root])
  t.match(stdout, /machines with copies of one home, first seen .* ago, last .*; banyan join --again on all but one/)
  t.match(stdout, /: converged, converged to \d, heard of/)
  t.notMatch(stdout, /report-replayed/)
})
