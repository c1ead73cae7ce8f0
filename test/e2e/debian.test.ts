// Real Debian packages: jq, what it depends on, and the C library below them travel through a
// staging server into the isolated root of a client, where jq then runs.

import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Payload } from '../../src/model/manifest.ts'
import { systemExec } from '../../src/world/exec.ts'
import { type Deb, fetchChain, missingForDebian, run } from './debian-archive.ts'
import { type RealTree, realTree } from './real-tree.ts'
import { until } from './until.ts'

const missing = await missingForDebian()
const patienceMs = 60_000
const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'

t.setTimeout(280_000)

t.test('real Debian packages', { skip: isCi ? false : (missing ?? false) }, async (t) => {
  t.setTimeout(280_000)
  if (missing !== undefined) throw new Error(missing)
  const folder = await mkdtemp(path.join(os.tmpdir(), 'banyan-debian-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [chain, tree] = await Promise.all([fetchChain(folder, 'jq', ['jq', 'libjq1']), plantedTree(t)])
  const { newest, older } = chain
  const machine = tree.nodes.get('leaf')?.targetRoot ?? ''
  const home = (name: string) => tree.nodes.get(name)?.home ?? ''
  t.comment(`newest: ${textOf(newest)}; older, ${chain.olderIs}: ${textOf(older)}`)

  const wholly = (debs: ReadonlyMap<string, Deb>) => versionsOf(newest, debs)
  const without = (name: string, debs: Record<string, string>) =>
    Object.fromEntries(Object.entries(debs).filter(([each]) => each !== name))
  const base = Object.fromEntries(Object.entries(wholly(newest)).filter(([name]) => !/jq|onig/.test(name)))
  const release = (packages: Record<string, string>) =>
    tree.release(
      `groups:\n  web: { labels: { role: web } }\nrules:\n  - nodes: [web]\n    packages: ${JSON.stringify(packages)}\n`,
      '--allow-removals',
    )
  /** What the root knows of the client, once it has heard that the revision is carried out. */
  const heard = (revision: number) =>
    until(
      `the root hears that the client has converged to ${revision}`,
      async () => {
        const report = await tree.report('leaf', 'root')
        if (report.converged === revision) return report
        throw new Error(JSON.stringify({ ...report, facts: undefined }))
      },
      patienceMs,
    )

  await t.test(
    'a dependency that nobody published fails by its name, and nothing is left half installed',
    async (t) => {
      const files = [...newest.values(), ...older.values()].filter(({ name }) => name !== 'libonig5')
      await tree.must('root', 'publish', ...files.map(({ file }) => file))
      await release(without('libonig5', wholly(older)))
      const report = await tree.reports('leaf', 'has failed', ({ state }) => state === 'failed', patienceMs)
      for (const name of ['jq', 'libjq1']) {
        const outcome = report.packages.find((each) => each.name === name)
        t.match(outcome, { outcome: 'failed', version: null, detail: /libonig5/ }, `${name}: ${outcome?.detail}`)
      }
      t.equal(await run('dpkg', [`--root=${machine}`, '--audit']), '', 'dpkg has nothing to complain about')
      t.notOk(existsSync(path.join(machine, 'usr/bin/jq')), 'the program is not there')
      t.same(await installed(machine), base, 'what does not need it is there')
      t.equal(report.converged, null, 'and the client does not call itself converged')
    },
  )

  await t.test('all of it arrives through the staging server and runs', async (t) => {
    await tree.must('root', 'publish', newest.get('libonig5')?.file ?? '')
    await release(wholly(older))
    const report = await heard(2)
    t.same(await installed(machine), wholly(older), 'dpkg has the wanted versions')
    t.same(versionsIn(report), wholly(older), 'the root was told the versions that dpkg has')
    t.equal(await answerOf(machine), '42', 'jq runs')
    t.strictSame(tree.machine('berlin'), {}, 'the staging server installed nothing')
    t.same((await tree.report('berlin')).packages, [], 'and says so')
  })

  await t.test('what is over a mebibyte came in a swarm, the rest as objects', async (t) => {
    const payloads = await Promise.all(
      [...newest.keys()].map((name) => payloadOf(tree, name, wholly(older)[name] ?? '')),
    )
    const [large, small] = [
      payloads.filter(({ via }) => via === 'swarm'),
      payloads.filter(({ via }) => via === 'object'),
    ]
    t.ok(large.length > 0 && small.length > 0, 'there are some of each')
    t.ok(large.every(({ size }) => size >= limits.swarmThresholdBytes))
    t.ok(small.every(({ size }) => size < limits.swarmThresholdBytes))
    for (const name of ['berlin', 'leaf']) {
      for (const { sha256 } of small)
        t.ok(existsSync(path.join(home(name), 'objects', sha256)), `${name}: as an object`)
      for (const { sha256 } of large) t.ok(existsSync(path.join(home(name), 'store', sha256)), `${name}: in a swarm`)
      const transfers = await until(`${name} reports what came in`, async () => {
        const { transfers } = await tree.report(name)
        return transfers.every(({ state, fromParent, size }) => state === 'complete' && fromParent >= size) && transfers
      })
      t.equal(transfers.length, large.length, `${name}: one transfer for each large one`)
      for (const { size, have, fromParent, overLink } of transfers) {
        t.match({ have, fromParent }, { have: size, fromParent: size }, `${name}: all of it from its parent`)
        if (name === 'berlin') t.ok(overLink >= size && overLink <= 1.05 * size, `${overLink} bytes over its link`)
      }
    }
  })

  await t.test('a package that somebody removed by hand is found by check and healed by apply', async (t) => {
    await run('dpkg', [`--root=${machine}`, `--log=${folder}/dpkg.log`, '--force-script-chrootless', '--remove', 'jq'])
    t.notOk(existsSync(path.join(machine, 'usr/bin/jq')), 'the program is not there')
    const check = await tree.banyan(['check', '--home', home('leaf')])
    t.equal(check.code, 3, 'check ends with 3')
    t.match(check.stdout, /^jq +install +.*somebody else changed this machine: not installed$/m)
    await tree.must('leaf', 'apply')
    t.same(await installed(machine), wholly(older), 'dpkg has the older versions')
    t.equal(await answerOf(machine), '42', 'jq runs')
    t.match(await tree.must('leaf', 'check'), /no difference to revision 2/)
    const told = await until('the root hears of it', async () =>
      (await tree.report('leaf', 'root')).packages.find(({ difference }) => difference === 'drift'),
    )
    t.match(told, { name: 'jq', outcome: 'changed', version: older.get('jq')?.version, before: null })
  })

  const [from, to] = [older.get('jq')?.version, newest.get('jq')?.version]
  const twoVersions =
    chain.olderIs === 'repacked'
      ? `jq is upgraded to ${to} from ${from}, the same repacked, for the archive has no second version`
      : `jq is upgraded from ${from} to ${to}, which both are in the archive`
  await t.test(twoVersions, async (t) => {
    await release({ ...base, libonig5: 'latest', libjq1: 'latest', jq: 'latest' })
    const report = await heard(3)
    t.same(await installed(machine), wholly(newest), 'dpkg has the newer versions')
    t.same(versionsIn(report), wholly(newest), 'the root was told of them')
    const changed = report.packages.filter(({ outcome, before }) => outcome === 'changed' && before === from)
    t.same(
      changed.map(({ name, version }) => `${name} ${version}`),
      [`jq ${to}`, `libjq1 ${to}`],
    )
    t.equal(await answerOf(machine), '42', 'jq runs')
  })

  await t.test('a downgrade happens when the policy says so', async (t) => {
    await release(wholly(older))
    const report = await heard(4)
    t.same(await installed(machine), wholly(older), 'dpkg has the older versions')
    t.match(
      report.packages.find(({ name }) => name === 'jq'),
      { outcome: 'changed', version: from, before: to },
    )
    t.equal(await answerOf(machine), '42', 'jq runs')
  })

  await t.test('what the policy no longer mentions is removed', async (t) => {
    await release(base)
    const report = await heard(5)
    t.same(await installed(machine), base, 'dpkg has the rest')
    t.same(versionsIn(report), base, 'the root was told of the rest')
    t.notOk(existsSync(path.join(machine, 'usr/bin/jq')), 'the program is not there')
  })

  await t.test('what Debian protects stays, and the root hears why', async (t) => {
    await release({})
    const report = await until(
      'the root hears that the client has failed',
      async () => {
        const known = await tree.report('leaf', 'root')
        return known.revision === 6 && known.state === 'failed' && known
      },
      patienceMs,
    )
    // Protected: yes, and it needs the two others.
    t.match(
      report.packages.find(({ name }) => name === 'libgcc-s1'),
      { outcome: 'failed', version: base['libgcc-s1'], detail: /essential/i },
    )
    t.same(await installed(machine), base, 'nothing is missing')
  })
})

/** A root, a staging server, and a client with a machine of its own. */
async function plantedTree(t: Test): Promise<RealTree> {
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  await tree.plant({ name: 'berlin', site: 'berlin', parent: 'root', token })
  const leaf = await tree.plant({
    name: 'leaf',
    site: 'berlin',
    parent: 'berlin',
    token,
    labels: ['role=web'],
    run: false,
  })
  await prepareMachine(leaf.targetRoot)
  await tree.start('leaf')
  return tree
}

/**
 * What every Debian machine has before its first package: the merged /usr, and the settings of
 * debconf. The scripts of libc6 run with DPKG_ROOT, from outside (--force-script-chrootless): they
 * load this machine's debconf, which then looks for its settings and keeps its answers below the
 * target root.
 */
async function prepareMachine(root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(path.join(root, 'usr', name), { recursive: true })
    await symlink(path.join('usr', name), path.join(root, name))
  }
  for (const name of ['etc', 'var/cache/debconf']) await mkdir(path.join(root, name), { recursive: true })
  if (existsSync('/etc/debconf.conf')) await copyFile('/etc/debconf.conf', path.join(root, 'etc/debconf.conf'))
}

/** What dpkg says is there, with its version; what is not wholly installed says so. */
async function installed(root: string): Promise<Record<string, string>> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in.
  const format = '${Package} ${Version} ${db:Status-Status}\\n'
  const text = await run('dpkg-query', [`--admindir=${root}/var/lib/dpkg`, '-W', `-f=${format}`])
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [name, version, status] = line.split(' ')
      if (name === undefined || version === undefined || status === 'not-installed') return []
      return [[name, status === 'installed' ? version : `${version} is ${status}`]]
    }),
  )
}

/** What the installed jq answers, run by the installed C library and nothing of this machine's. */
async function answerOf(root: string): Promise<string> {
  const answer = await systemExec.run({
    program: 'chroot',
    args: [root, '/usr/bin/jq', '-n', '-r', '"6*7=42" | capture("=(?<answer>[0-9]+)").answer'],
    timeoutMs: 20_000,
  })
  return answer.code === 0 ? answer.stdout.trim() : answer.stderr
}

async function payloadOf(tree: RealTree, name: string, version: string): Promise<Payload> {
  const { versions } = (await tree.ask('root', `/packages/${name}`)) as {
    versions: { version: string; payload: Payload }[]
  }
  const found = versions.find((each) => each.version === version)
  if (found === undefined) throw new Error(`${name} ${version} is not published`)
  return found.payload
}

function versionsOf(...maps: ReadonlyMap<string, Deb>[]): Record<string, string> {
  return Object.fromEntries(maps.flatMap((debs) => [...debs.values()].map(({ name, version }) => [name, version])))
}

function versionsIn(report: { packages: { name: string; version: string | null }[] }): Record<string, string | null> {
  return Object.fromEntries(report.packages.map(({ name, version }) => [name, version]))
}

function textOf(debs: ReadonlyMap<string, Deb>): string {
  return [...debs.values()].map(({ name, version }) => `${name} ${version}`).join(', ')
}
