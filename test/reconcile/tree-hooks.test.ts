// How long the hooks of a tree may take, and what becomes of what they start.

import * as fs from 'node:fs/promises'
import t, { type Test } from 'tap'
import type { Manifest } from '../../src/model/manifest.ts'
import { withTerms } from '../../src/reconcile/ignored.ts'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import type { Run } from '../../src/world/world.ts'
import { buildTree, stepOf } from './packages.ts'

t.test('a hook has the time of its rule, else that of its package, else the usual one', async (t) => {
  const { ensure, build, timeouts } = await hookWorld(t)
  const built = await build({ postInstall: 'exit 0', preRemove: 'exit 0' }, { hookTimeouts: { postInstall: 600_000 } })
  await ensure(stepOf('install', built))
  await ensure(stepOf('remove', built))
  t.same(timeouts.splice(0), [600_000, 60_000])
  const step = stepOf('install', built)
  await ensure({ ...step, action: { ...step.action, hookTimeoutMs: 7000 } })
  t.same(timeouts.splice(0), [7000])
  const kept = await build({ postRemove: 'exit 0' }, { hookTimeouts: { postRemove: 90_000 } })
  await ensure(stepOf('reinstall', kept))
  await ensure(stepOf('remove', kept))
  t.same(timeouts, [90_000], 'a removal knows the times of the version that is installed')
})

t.test('the plan has the time that a rule gives', (t) => {
  const { action } = stepOf('remove', { manifest: { name: 'shop' }, digest: '', path: '' } as never)
  const plan = { schema: 1 as const, revision: 1, digest: '', actions: [action], waiting: [] }
  const desired = [{ state: 'absent' as const, name: 'shop', line: 1, terms: { hookTimeoutMs: 5000 } }]
  t.match(withTerms(plan, desired, new Map()).actions, [{ name: 'shop', hookTimeoutMs: 5000 }])
  t.end()
})

t.test('a hook that takes too long is ended, and the outcome says how it gets more time', async (t) => {
  const { ensure, build } = await hookWorld(t)
  const built = await build({ postInstall: 'exec sleep 60' }, { hookTimeouts: { postInstall: 1000 } })
  t.match(await ensure(stepOf('install', built)), {
    outcome: 'failed',
    version: null,
    detail: /postInstall took longer than 1 s and was ended \(timeout: in banyan.yaml/,
  })
})

t.test('what a hook leaves in the background goes on after the hook', async (t) => {
  const { ensure, build, folder } = await hookWorld(t)
  const [go, done] = [`${folder}/go`, `${folder}/done`]
  const program = `for n in $(seq 400); do test -e ${go} && echo it && echo went-on > ${done} && exit 0; sleep 0.05; done`
  const built = await build({ postInstall: `setsid sh -c '${program}' &` })
  t.match(await ensure(stepOf('install', built)), { outcome: 'changed' })
  await fs.writeFile(go, '')
  let content = ''
  while (content === '') {
    content = await fs.readFile(done, 'utf8').catch(() => '')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.equal(content, 'went-on\n', 'although it prints to the output that it was given')
})

async function hookWorld(t: Test) {
  const folder = t.testdir({ root: {}, store: {}, work: {} })
  const timeouts: number[] = []
  const exec = {
    // As the apply process runs them.
    async run(run: Run) {
      timeouts.push(run.timeoutMs)
      return await systemExec.run({ ...run, outlives: true })
    },
  }
  const provider = treeProvider({ targetRoot: `${folder}/root`, exec, disk: systemDisk })
  const context = { workFolder: `${folder}/work`, journal: async () => {}, output: () => {} }
  return {
    folder,
    timeouts,
    ensure: async (step: ReturnType<typeof stepOf>) => (await provider.ensure([step], context))[0],
    async build(scripts: Record<string, string>, more: Partial<Manifest> = {}) {
      const built = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0', scripts })
      return { ...built, manifest: { ...built.manifest, ...more } }
    },
  }
}
