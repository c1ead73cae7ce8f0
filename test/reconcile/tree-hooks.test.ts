// How long the hooks of a tree may take, and what becomes of what they start.

import * as fs from 'node:fs/promises'
import t, { type Test } from 'tap'
import type { Manifest } from '../../src/model/manifest.ts'
import { withTerms } from '../../src/reconcile/ignored.ts'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { cutLeftOutput } from '../../src/world/programs/left-output.ts'
import { isNamelessFile } from '../../src/world/programs/nameless-file.ts'
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

t.test('what such a service prints stays bounded, and printing goes on', async (t) => {
  const { ensure, build, folder } = await hookWorld(t)
  const [go, cut, done] = [`${folder}/go`, `${folder}/cut`, `${folder}/done`]
  const waitFor = (file: string) => `for n in $(seq 400); do test -e ${file} && break; sleep 0.05; done`
  const size = 100_000
  const program = `echo $$ > ${folder}/pid; ${waitFor(go)}; head -c ${size} /dev/zero; : > ${folder}/full; ${waitFor(cut)}; echo more; wc -c < /proc/$$/fd/1 > ${done}.new; mv ${done}.new ${done}`
  const built = await build({ postInstall: `setsid sh -c '${program}' &` })
  t.match(await ensure(stepOf('install', built)), { outcome: 'changed' })
  await fs.writeFile(go, '')
  await written(`${folder}/full`)
  const output = `/proc/${(await written(`${folder}/pid`, /\d+\n/)).trim()}/fd/1`
  t.equal((await fs.stat(output)).size, size)
  await cutLeftOutput()
  t.equal((await fs.stat(output)).size, size, 'it is not large')
  await cutLeftOutput({ maxBytes: size - 1 })
  t.equal((await fs.stat(output)).size, 0)
  await fs.writeFile(cut, '')
  t.equal((await written(done, /\n/)).trim(), '5')
})

t.test('only nameless files of ours are cut', async (t) => {
  const folder = t.testdir({})
  const uuid = '01234567-89ab-4cde-8f01-23456789abcd'
  t.ok(isNamelessFile(`/dev/shm/banyan-${uuid} (deleted)`))
  for (const other of [`/dev/shm/banyan-${uuid}`, '/etc/passwd', 'socket:[12]', `/x/banyan-${uuid}1 (deleted)`]) {
    t.notOk(isNamelessFile(other))
  }
  // A process that shows one file and then another one.
  await fs.mkdir(`${folder}/proc/12/fd`, { recursive: true })
  await fs.writeFile(`${folder}/proc/12/fd/banyan-${uuid} (deleted)`, 'words')
  await fs.symlink(`./banyan-${uuid} (deleted)`, `${folder}/proc/12/fd/1`)
  await cutLeftOutput({ folder: `${folder}/proc`, maxBytes: 1 })
  t.equal((await fs.stat(`${folder}/proc/12/fd/1`)).size, 5, 'it has a name')
})

/** The content of a file, once there is such a content. */
async function written(file: string, content = /^/): Promise<string> {
  for (;;) {
    const text = await fs.readFile(file, 'utf8').catch(() => undefined)
    if (text !== undefined && content.test(text)) return text
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

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
