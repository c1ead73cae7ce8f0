// Architecture is part of identity: `libfo:i386` is not `libfo`. On the real dpkg and apt; without
// scripts, packages for a foreign architecture install everywhere.

import * as fs from 'node:fs/promises'
import t, { type Test } from 'tap'
import type { DesiredPackage } from '../../src/model/desired.ts'
import { desiredFor } from '../../src/model/desired.ts'
import type { Arch } from '../../src/model/names.ts'
import type { Actual, InstalledRecord } from '../../src/reconcile/actual.ts'
import { differencesBetween } from '../../src/reconcile/differences.ts'
import type { Step } from '../../src/reconcile/providers/provider.ts'
import { systemExec } from '../../src/world/exec.ts'
import { debWorld } from './deb-world.ts'
import { stepOf, type Wanted } from './packages.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

const own = (await systemExec.run({ program: 'dpkg', args: ['--print-architecture'], timeoutMs: 20_000 })).stdout.trim()
const foreign: Arch = own === 'i386' ? 'amd64' : 'i386'

/** A machine that takes packages of both architectures. */
async function machine(t: Test) {
  const world = await debWorld(t)
  await fs.mkdir(world.database, { recursive: true })
  await fs.writeFile(`${world.database}/arch`, `${own}\n${foreign}\n`)
  const lib = async (arch: Arch, version: string, more: Partial<Wanted> = {}) =>
    await world.deb({ name: 'libfo', version, arch, files: { [arch]: version }, ...more }, 'Multi-Arch: same')
  const foreignStep = (step: Step): Step => ({ ...step, action: { ...step.action, name: `libfo:${foreign}` } })
  return { ...world, lib, foreignStep, both: ['libfo', `libfo:${foreign}`] as const }
}

t.test('the same package for another architecture is another package', async (t) => {
  const { lib, foreignStep, ensure, look, states, both, root } = await machine(t)
  const [mine, theirs] = [await lib(own as Arch, '1'), await lib(foreign, '1')]
  t.match(await ensure(foreignStep(stepOf('install', theirs))), [{ name: both[1], outcome: 'changed', version: '1' }])
  t.same(await states('libfo'), { [both[1]]: 'whole' }, 'only the foreign one is there')
  t.match(await look(both[1]), { name: both[1], version: '1', state: 'whole' })
  t.match(await ensure(stepOf('install', mine)), [{ name: 'libfo', outcome: 'changed', version: '1' }])
  t.same(await states(...both), { libfo: 'whole', [both[1]]: 'whole' })
  await fs.writeFile(`${root}/opt/libfo/${foreign}`, 'changed')
  t.same(await states(...both), { libfo: 'whole', [both[1]]: 'drifted' })
  const again = [stepOf('reinstall', mine, { from: '1' }), stepOf('reinstall', theirs, { from: '1', cause: 'drift' })]
  t.match(await ensure(again[0] as Step, foreignStep(again[1] as Step)), [
    { name: 'libfo', outcome: 'changed' },
    { name: both[1], outcome: 'changed' },
  ])
  const up = [await lib(own as Arch, '2'), await lib(foreign, '2')].map((one) => stepOf('upgrade', one, { from: '1' }))
  t.match(await ensure(up[0] as Step), [
    { outcome: 'failed', version: '1', detail: `apt would also remove ${both[1]}, which is not in the plan` },
  ])
  t.match(await ensure(up[0] as Step, foreignStep(up[1] as Step)), [
    { name: 'libfo', outcome: 'changed', version: '2' },
    { name: both[1], outcome: 'changed', version: '2' },
  ])
  t.match(await ensure(foreignStep(stepOf('remove', theirs))), [{ name: both[1], outcome: 'changed', version: null }])
  t.same(await states(...both), { libfo: 'whole' })
})

t.test('what a policy says of a name with and without an architecture', async (t) => {
  const manifest = 'a'.repeat(64)
  const actual = (name: string): Actual => {
    return { name, kind: 'deb', version: '1', state: 'whole', found: '', held: false, payload: null }
  }
  const record = (name: string): InstalledRecord => {
    return {
      ...{ name, kind: 'deb', version: '1', manifest, payload: manifest },
      revision: 1,
      state: 'installed',
      foundThere: false,
    }
  }
  const said = (desired: DesiredPackage[], there: string[], ours: string[] = []) => {
    const body = { kind: 'deb', payload: { sha256: manifest } } as never
    return differencesBetween({
      ...{ desired, manifests: new Map([[manifest, body]]), actual: there.map(actual) },
      ...{ installed: ours.map(record), revision: 2, converged: null },
    }).map(({ what, name }) => `${what} ${name}`)
  }
  const wanted = (name: string): DesiredPackage => ({ state: 'present', name, version: '1', manifest, line: 1 })
  const absent = (name: string): DesiredPackage => ({ state: 'absent', name, line: 1 })
  t.same(said([wanted('libfo')], ['libfo:i386']), ['install libfo'])
  t.same(said([wanted('libfo'), wanted('libfo:i386')], ['libfo']), ['install libfo:i386'])
  t.same(said([wanted('libfo')], ['libfo', 'libfo:i386'], ['libfo', 'libfo:i386']), ['remove libfo:i386'])
  t.same(said([wanted('libfo')], ['libfo', 'libfo:i386'], ['libfo']), [], 'what is not ours stays')
  t.same(said([absent('libfo')], ['libfo:i386'], ['libfo:i386']), ['remove libfo:i386'])
  t.same(said([absent('libfo'), wanted('libfo:i386')], ['libfo', 'libfo:i386']), ['remove libfo'])
  t.same(said([absent('libfo:i386'), wanted('libfo')], ['libfo', 'libfo:i386']), ['remove libfo:i386'])
})

t.test('a name with an architecture means the build for it, on every node', async (t) => {
  const build = (version: string) => ({ version, manifest: 'b'.repeat(64) })
  const packages = {
    libfo: { state: 'present' as const, builds: { amd64: build('1'), i386: build('2') } },
    'libfo:i386': { state: 'present' as const, builds: { i386: build('2') } },
  }
  const revision = { groups: {}, rules: [{ line: 1, nodes: 'all' as const, except: [], packages }] }
  const traits = { name: 'n', site: '', arch: 'amd64' as const, labels: {}, facts: {} }
  t.match(desiredFor(revision, traits), [
    { name: 'libfo', version: '1' },
    { name: 'libfo:i386', version: '2' },
  ])
})

t.test('two architectures that do not agree on a file they share go back together, and others go on', async (t) => {
  const { lib, foreignStep, deb, ensure, states, both } = await machine(t)
  const build = async (arch: Arch, version: string, text: string) =>
    await lib(arch, version, { files: { notes: text } })
  const [mine, theirs] = [await build(own as Arch, '1', 'same'), await build(foreign, '1', 'same')]
  const installed = await ensure(stepOf('install', mine), foreignStep(stepOf('install', theirs)))
  t.match(installed, [{ outcome: 'changed' }, { outcome: 'changed' }])
  const up = stepOf('upgrade', await build(own as Arch, '2', 'one'), { from: '1', previous: mine })
  const other = stepOf('upgrade', await build(foreign, '2', 'other'), { from: '1', previous: theirs })
  const outcomes = await ensure(up, foreignStep(other))
  t.match(outcomes, [
    { outcome: 'failed', version: '1' },
    { outcome: 'failed', version: '1' },
  ])
  t.match(outcomes.map(({ detail }) => detail).join(), /overwrite shared '\/opt\/libfo\/notes', which is different/)
  t.same(await states(...both), { libfo: 'whole', [both[1]]: 'whole' })
  t.match(await ensure(stepOf('install', await deb({ name: 'shop', version: '1' }))), [{ outcome: 'changed' }])
})
