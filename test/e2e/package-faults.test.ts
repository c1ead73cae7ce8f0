// What goes wrong while packages are installed, made to happen: the real apply process, the real
// apt, dpkg and rpm. After each the machine has converged or says clearly why not, and the package
// database is whole.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { findApplies, startApply, waitForApply } from '../../src/reconcile/apply/apply.ts'
import { isApplying } from '../../src/reconcile/apply/apply-lock.ts'
import { systemExec } from '../../src/world/exec.ts'
import { type ApplyWorld, applyWorld, waitFor } from '../reconcile/apply-world.ts'
import { type Built, buildDeb } from '../reconcile/packages.ts'
import { inRoot, makeRpmMachine } from '../reconcile/rpm-machine.ts'
import { needs } from '../repository/workbench.ts'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

// apt, dpkg, rpm and the apply process are real, and other tests run beside these.
t.setTimeout(1_800_000)
const patienceMs = 120_000

t.test('SIGKILL of the apply at 20 random moments', async (t) => {
  t.setTimeout(900_000)
  const world = await applyWorld(t)
  const versions = await Promise.all(['1', '2'].map((version) => pairOf(world, version)))
  await world.release(versions[0] as never)
  await world.converge()
  await world.release(versions[1] as never)
  const since = performance.now()
  await world.converge()
  const usualMs = performance.now() - since
  const seed = Number(process.env['BANYAN_SEED'] ?? Math.floor(Math.random() * 1e6))
  t.comment(`BANYAN_SEED=${seed}, it takes ${Math.round(usualMs)} ms`)
  const random = randomFrom(seed)
  const seen: string[] = []
  for (let round = 0; round < 20; round += 1) {
    const wanted = versions[round % 2] as Record<string, Built>
    await world.release(wanted)
    const before = await unpackings(world)
    const { txid, pid } = await startApply(world.parts, (await world.look()).plan)
    await new Promise((resolve) => setTimeout(resolve, random() * usualMs))
    kill(pid)
    await until('it has ended', async () => !isAlive(pid) && !(await isApplying(world.home)), patienceMs)
    // Its apt goes on without it, and the next apply waits for that.
    const told = await world.restart()
    const { differences } = await world.look()
    if (differences.length > 0) {
      const { outcomes } = await world.converge()
      const failed = outcomes.filter(({ outcome }) => outcome === 'failed')
      t.same(failed, [], `round ${round}: what was begun is finished`)
    }
    seen.push(`${told.map(({ name, outcome }) => `${name} ${outcome}`).join(', ') || 'nothing begun'}`)
    await isWhole(t, world, wanted)
    t.ok((await unpackings(world)) - before <= 1, `round ${round}: tool is unpacked once at most`)
    t.same(await world.restart(), [], `round ${round}: and told once`)
    t.equal(await exists(path.join(world.home, 'apply', txid, 'payloads')), false, 'no copy of a payload is left')
  }
  t.comment(seen.join('; '))
})

t.test('SIGKILL of apt and dpkg inside a maintainer script', async (t) => {
  for (const script of ['preInstall', 'postInstall', 'preRemove'] as const) {
    const world = await applyWorld(t)
    const lines = `echo $$ >'${world.home}/script'; ${waitFor(world, 'go')}`
    const one = await world.deb({
      name: 'tool',
      version: '1',
      ...(script === 'preRemove' ? { scripts: { [script]: lines } } : {}),
    })
    const two = await world.deb({
      name: 'tool',
      version: '2',
      ...(script === 'preRemove' ? {} : { scripts: { [script]: lines } }),
    })
    await world.release({ tool: one })
    await world.converge()
    await world.release({ tool: two })
    const { plan } = await world.look()
    const started = await startApply(world.parts, plan)
    const pid = await until(
      'the script runs',
      async () => Number(await fs.readFile(`${world.home}/script`, 'utf8')),
      patienceMs,
    )
    // All that apt started is of one process group.
    const group = Number((await fs.readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')[2])
    await fs.writeFile(path.join(world.home, 'go'), '')
    process.kill(-group, 'SIGKILL')
    const ended = await waitForApply(world.parts, { ...started, plan })
    t.match(ended, { state: 'finished', applied: { outcomes: [{ name: 'tool', outcome: /changed|failed/ }] } }, script)
    await world.restart()
    if ((await world.look()).differences.length > 0) await world.converge()
    await isWhole(t, world, { tool: two })
  }
})

t.test('SIGKILL of rpm inside a scriptlet', needs('rpmbuild'), async (t) => {
  for (const script of ['preInstall', 'postInstall'] as const) {
    const world = await applyWorld(t)
    await makeRpmMachine(world.targetRoot, path.dirname(world.home))
    const lines = 'echo $$ >/script; until test -e /go; do sleep 0.05; done'
    const one = await world.rpm({ name: 'tool', version: '1-1' })
    const two = await world.rpm({ name: 'tool', version: '2-1', scripts: { [script]: lines } })
    await world.release({ tool: one })
    await world.converge()
    await world.release({ tool: two })
    const { plan } = await world.look()
    const started = await startApply(world.parts, plan)
    const pid = await until(
      'it runs',
      async () => Number(await fs.readFile(`${world.targetRoot}/script`, 'utf8')),
      patienceMs,
    )
    const group = Number((await fs.readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')[2])
    await fs.writeFile(`${world.targetRoot}/go`, '')
    process.kill(-group, 'SIGKILL')
    const ended = await waitForApply(world.parts, { ...started, plan })
    t.match(ended, { state: 'finished', applied: { outcomes: [{ name: 'tool', outcome: /changed|failed/ }] } }, script)
    await world.restart()
    if ((await world.look()).differences.length > 0) await world.converge()
    t.same((await world.lookFully()).differences, [])
    t.equal((await inRoot(world.targetRoot, '-q', 'tool')).trim(), 'tool-2-1.noarch', 'one version, the new one')
    const verified = await systemExec.run({
      program: 'rpmdb',
      args: [`--root=${world.targetRoot}`, '--dbpath=/var/lib/rpm', '--verifydb'],
      timeoutMs: 20_000,
    })
    t.equal(verified.code, 0, 'the database is whole')
  }
})

t.test('a disk that is full while dpkg unpacks', async (t) => {
  const world = await applyWorld(t)
  await onDisk(t, world.targetRoot, 8, async () => {
    const one = await world.deb({ name: 'tool', version: '1', files: { data: 'x' } })
    // It packs well, and says little of its size: nobody can know before.
    const two = await world.deb({ name: 'tool', version: '2', files: { data: 'x'.repeat(9_000_000) } })
    await world.release({ tool: one })
    await world.converge()
    await world.release({ tool: two })
    t.match((await world.converge()).outcomes, [
      { name: 'tool', outcome: 'failed', version: '1', detail: /No space left/ },
    ])
    t.equal(await audit(world), '', 'dpkg has nothing to complain about')
    t.equal((await fs.readFile(`${world.targetRoot}/opt/tool/VERSION`, 'utf8')).trim(), '1')
    await run('mount', '-o', 'remount,size=32m', world.targetRoot)
    t.match((await world.converge()).outcomes, [{ name: 'tool', outcome: 'changed', version: '2' }])
    await isWhole(t, world, { tool: two })
  })
})

t.test('a disk that is full while the outcomes are stored', async (t) => {
  const world = await applyWorld(t)
  await onDisk(t, path.join(world.home, 'apply'), 32, async () => {
    const fill = `dd if=/dev/zero of='${world.home}/apply/filler' bs=64k 2>/dev/null; true`
    const tool = await world.deb({ name: 'tool', version: '1', scripts: { postInstall: fill } })
    await world.release({ tool })
    const { plan } = await world.look()
    const started = await startApply(world.parts, plan)
    await until('its process has ended', () => !isAlive(started.pid), patienceMs)
    await fs.rm(`${world.home}/apply/filler`)
    t.match(await findApplies(world.parts), [{ txid: started.txid, state: /aborted|finished/ }])
    t.same(await world.restart(), [{ name: 'tool', outcome: 'changed' }], 'what was done is known all the same')
    await isWhole(t, world, { tool })
    t.same(await world.restart(), [])
  })
})

t.test('the lock held by another dpkg is waited for, and never broken', async (t) => {
  const world = await applyWorld(t)
  const [theirs, tool] = [
    await world.deb({
      name: 'theirs',
      version: '1',
      scripts: { postInstall: `echo >'${world.home}/held'; ${waitFor(world, 'go')}` },
    }),
    await world.deb({ name: 'tool', version: '1' }),
  ]
  // The database is there already.
  const first = await world.deb({ name: 'first', version: '1' })
  await world.release({ first })
  await world.converge()
  const dpkg = run(
    'dpkg',
    `--root=${world.targetRoot}`,
    '--log=/dev/null',
    '--force-script-chrootless',
    '-i',
    theirs.path,
  )
  await until('dpkg holds its lock', () => exists(`${world.home}/held`), patienceMs)
  await world.release({ first, tool })
  const { plan } = await world.look()
  const started = await startApply(world.parts, plan)
  const output = path.join(world.home, 'apply', started.txid, 'output.log')
  await until(
    'the apply says that it waits',
    async () => /^Waiting for .*lock/m.test(await fs.readFile(output, 'utf8')),
    patienceMs,
  )
  t.equal(await exists(`${world.targetRoot}/opt/tool`), false, 'nothing is done meanwhile')
  await fs.writeFile(path.join(world.home, 'go'), '')
  await dpkg
  const ended = await waitForApply(world.parts, { ...started, plan })
  t.match(ended, { state: 'finished', applied: { outcomes: [{ name: 'tool', outcome: 'changed', version: '1' }] } })
  await world.restart()
  await isWhole(t, world, { tool })
  t.match(await installed(world), { theirs: '1' }, 'and the other one went well too')
})

t.test('a file system that errors on fsync', { skip: needs('strace').skip ?? false }, async (t) => {
  for (const nth of [1, 2, 3, 5, 8, 13]) {
    const world = await applyWorld(t)
    const wanted = await pairOf(world, '1')
    await world.release(wanted)
    const { plan } = await world.look()
    const exec = {
      detach: (one: Parameters<typeof systemExec.detach>[0]) =>
        systemExec.detach({
          ...one,
          program: 'strace',
          args: [
            '-f',
            '-qq',
            '-o',
            '/dev/null',
            '-e',
            'trace=fsync,fdatasync',
            '-e',
            `inject=fsync,fdatasync:error=EIO:when=${nth}+`,
            one.program,
            ...one.args,
          ],
        }),
    }
    const started = await startApply({ ...world.parts, exec }, plan)
    const ended = await waitForApply(world.parts, { ...started, plan })
    t.match(ended.state, /aborted|finished/, `from the ${nth}. on`)
    await until('its apt has ended, too', () => !isAlive(started.pid), patienceMs)
    await world.restart()
    if ((await world.look()).differences.length > 0) await world.converge()
    await isWhole(t, world, wanted)
  }
})

t.test('kill -9 of the daemon in mid-transaction', async (t) => {
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  const { targetRoot, home } = await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  const lines =
    'echo ran >>"$DPKG_ROOT/ran"; for n in $(seq 600); do test -e "$DPKG_ROOT/go" && exit 0; sleep 0.1; done; exit 1'
  const deb = await buildDeb(t.testdir({}), { name: 'tool', version: '1', scripts: { postInstall: lines } })
  await tree.must('root', 'publish', deb.path)
  const root = tree.nodes.get('root')?.targetRoot ?? ''
  await fs.mkdir(root, { recursive: true })
  await fs.writeFile(`${root}/go`, '')
  await tree.release('rules:\n  - nodes: all\n    packages: { tool: latest }\n')
  await until('its script runs', () => exists(`${targetRoot}/ran`), patienceMs)
  t.match(await tree.stop('leaf', 'SIGKILL'), { signal: 'SIGKILL' })
  await tree.start('leaf')
  await fs.writeFile(`${targetRoot}/go`, '')
  const report = await tree.reports('leaf', 'converges', ({ converged }) => converged === 1, patienceMs)
  t.match(
    report.packages.filter(({ name }) => name === 'tool'),
    [{ outcome: 'changed', version: '1', before: null }],
    'what the apply came to was picked up',
  )
  t.equal(await fs.readFile(`${targetRoot}/ran`, 'utf8'), 'ran\n', 'its script ran once')
  t.equal((await fs.readdir(path.join(home, 'apply'))).length, 1, 'there was no second apply')
  t.equal(await run('dpkg', `--root=${targetRoot}`, '--audit'), '', 'dpkg has nothing to complain about')
})

/** A deb and a tree of one version. */
async function pairOf(world: ApplyWorld, version: string): Promise<Record<string, Built>> {
  const files = Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [`d${n % 3}/f${n}`, `${version} ${'x'.repeat(n * 50)}`]),
  )
  return {
    tool: await world.deb({ name: 'tool', version, files, scripts: { postInstall: 'true' } }),
    shop: await world.tree({ name: 'shop', version, files, scripts: { postInstall: 'true' } }),
  }
}

/** Converged, as banyan and as the machine itself see it. */
async function isWhole(t: Test, world: ApplyWorld, wanted: Record<string, Built>): Promise<void> {
  t.same((await world.lookFully()).differences, [], 'converged')
  t.equal(await audit(world), '', 'dpkg has nothing to complain about')
  for (const { manifest } of Object.values(wanted)) {
    const folder = manifest.kind === 'tree' ? `opt/${manifest.name}/current` : `opt/${manifest.name}`
    const version = await fs.readFile(path.join(world.targetRoot, folder, 'VERSION'), 'utf8')
    t.equal(version.trim(), manifest.version, `${manifest.name} is what was wanted`)
    const record = world.records.find(({ name }) => name === manifest.name)
    t.match(record, { version: manifest.version, state: 'installed' }, `${manifest.name} is on record`)
  }
}

const audit = async ({ targetRoot }: ApplyWorld) => await run('dpkg', `--root=${targetRoot}`, '--audit')

async function installed({ targetRoot }: ApplyWorld): Promise<Record<string, string>> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in.
  const text = await run('dpkg-query', `--admindir=${targetRoot}/var/lib/dpkg`, '-W', '-f=${Package} ${Version}\\n')
  return Object.fromEntries(text.split('\n').map((line) => line.split(' ')))
}

/** How often dpkg has unpacked the package tool. */
async function unpackings({ targetRoot }: ApplyWorld): Promise<number> {
  const log = await fs.readFile(path.join(targetRoot, 'var/log/dpkg.log'), 'utf8')
  return log.split('\n').filter((line) => / (install|upgrade) tool:/.test(line)).length
}

/** Mounts a disk of its own at the folder while the work is done. */
async function onDisk(t: Test, folder: string, megabytes: number, work: () => Promise<void>): Promise<void> {
  await fs.mkdir(folder, { recursive: true })
  if (process.getuid?.() !== 0) {
    t.comment('not tested: only root can mount a small disk')
    return
  }
  await run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder)
  try {
    await work()
  } finally {
    await run('umount', '-l', folder)
  }
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await systemExec.run({ program, args, timeoutMs: patienceMs })
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout.trim()
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It was quicker.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function exists(file: string): Promise<boolean> {
  return await fs.access(file).then(
    () => true,
    () => false,
  )
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
