// Packages changed together, over a package manager that does what the test says.

import t from 'tap'
import type { Manifest } from '../../src/model/manifest.ts'
import type { Actual } from '../../src/reconcile/actual.ts'
import type { Change, PackageSystem, Ran } from '../../src/reconcile/providers/package-system.ts'
import type { Step } from '../../src/reconcile/providers/provider.ts'
import { ensureTogether } from '../../src/reconcile/providers/transaction.ts'

const digest = '0'.repeat(64)

function install(name: string, depends: string[] = []): Step {
  const manifest: Manifest = {
    schema: 1,
    ...{ name, version: '1', kind: 'rpm', arch: 'all', installedSize: 10, depends, summary: '', hooks: {} },
    payload: { via: 'object', sha256: digest, size: 1 },
  }
  const source = { manifest: digest, payload: digest, path: `/store/${name}` }
  const action = { name, kind: 'rpm', what: 'install', cause: 'pending', from: null, to: '1', found: '' } as const
  return { action: { ...action, source, previous: null }, manifest }
}

const whole = (name: string): Actual => ({
  ...{ name, kind: 'rpm', version: '1', state: 'whole', found: '', held: false, payload: null },
})
const ran: Ran = {
  ...{ kind: 'ran', failed: false, timedOut: false, culprits: new Set(), complaint: () => 'no word', notes: new Map() },
}

/** `transact` changes `machine`; every change that it is asked for is in `changes`. */
function open(transact: (change: Change, machine: Map<string, Actual>) => ReturnType<PackageSystem['transact']>) {
  const machine = new Map<string, Actual>()
  const changes: string[] = []
  const calls: string[] = []
  const system: PackageSystem = {
    inspect: async (names) => names.flatMap((name) => machine.get(name) ?? []),
    prepare: async () => void calls.push('prepare'),
    problemOf: async () => undefined,
    isOther: async () => false,
    async transact(change, context) {
      await context.journal('transaction')
      changes.push([...change.installs.keys(), ...[...change.removes].map((name) => `-${name}`)].join(' '))
      return await transact(change, machine)
    },
    tidy: async () => void calls.push('tidy'),
    finish: async () => void calls.push('finish'),
  }
  const context = { workFolder: '/work', journal: async () => {}, output: () => {} }
  const ensure = (steps: Step[], freeBytes = 1e9) =>
    ensureTogether(system, { targetRoot: '/root', disk: { freeBytes: async () => freeBytes } }, steps, context)
  return { ensure, machine, changes, calls }
}

function carried({ installs, removes }: Change, machine: Map<string, Actual>): void {
  for (const name of installs.keys()) machine.set(name, whole(name))
  for (const name of removes) machine.delete(name)
}

t.test('a package that was being worked on when the package manager was ended is at fault', async (t) => {
  const world = open(async (change, machine) => {
    carried(change, machine)
    if (!change.installs.has('slow')) return ran
    machine.set('slow', { ...whole('slow'), state: 'broken', found: '1 is stuck', interrupted: true })
    machine.delete('other')
    return { ...ran, failed: true, timedOut: true, complaint: () => 'took too long' }
  })
  t.match(await world.ensure([install('slow'), install('other')]), [
    { name: 'slow', outcome: 'failed', version: null, detail: 'took too long; removed again' },
    { name: 'other', outcome: 'changed', version: '1' },
  ])
  t.same(world.changes, ['slow other', '-slow', 'other'])
  t.same(world.calls, ['prepare', 'tidy', 'finish'])
})

t.test('a package whose files are called half- or interrupted is at no fault', async (t) => {
  const world = open(async (change, machine) => {
    carried(change, machine)
    if (!change.installs.has('slow') || change.installs.size === 1) return ran
    machine.set('other', { ...whole('other'), state: 'drifted', found: 'changed /opt/half-interrupted' })
    machine.set('slow', { ...whole('slow'), state: 'broken', found: '1 is stuck', interrupted: true })
    return { ...ran, failed: true, timedOut: true }
  })
  t.match(await world.ensure([install('slow'), install('other')]), [
    { name: 'slow', outcome: 'failed' },
    { name: 'other', outcome: 'changed' },
  ])
})

t.test(
  'of a refused group the packages that lack something are left out, with the reason of what they need',
  async (t) => {
    const world = open(async (change, machine) => {
      const unmet = change.installs.has('lib') ? ['lib'] : change.installs.has('shop') ? ['shop'] : []
      const because = (name: string) => (name === 'lib' ? 'lib needs libc9' : `${name} needs lib`)
      if (unmet.length > 0) return { kind: 'refused', unmet: new Set(unmet), because }
      carried(change, machine)
      return ran
    })
    t.match(await world.ensure([install('lib'), install('shop', ['lib'])]), [
      { name: 'lib', outcome: 'failed', detail: 'lib needs libc9' },
      { name: 'shop', outcome: 'failed', detail: 'shop needs lib; lib needs libc9' },
    ])
    t.same(world.changes, ['lib shop', 'shop'])
  },
)

t.test('packages that need one that failed go back with it, and others go on', async (t) => {
  const world = open(async (change, machine) => {
    carried(change, machine)
    if (!change.installs.has('lib')) return ran
    machine.delete('lib')
    return { ...ran, failed: true, culprits: new Set(['lib']), complaint: () => 'exit 7' }
  })
  t.match(await world.ensure([install('lib'), install('shop', ['lib >= 1']), install('other')]), [
    { name: 'lib', outcome: 'failed', detail: 'exit 7' },
    { name: 'shop', outcome: 'failed', version: null, detail: 'it needs lib, which failed; removed again' },
    { name: 'other', outcome: 'changed' },
  ])
  t.same(world.changes, ['lib shop other', '-shop'])
})

t.test('room is promised to the packages in turn, and those for which none is left are not tried', async (t) => {
  const world = open(async (change, machine) => {
    carried(change, machine)
    return ran
  })
  t.match(await world.ensure([install('first'), install('second')], 20), [
    { name: 'first', outcome: 'changed' },
    { name: 'second', outcome: 'failed', detail: 'no space: 24 bytes needed below /root, 20 free' },
  ])
  t.same(world.changes, ['first'])
})

t.test('what is there already is kept, and what the administrator holds is left', async (t) => {
  const world = open(async () => ran)
  world.machine.set('there', whole('there'))
  world.machine.set('held', { ...whole('held'), version: '0', held: true })
  t.match(await world.ensure([install('there'), install('held')]), [
    { name: 'there', outcome: 'kept' },
    { name: 'held', outcome: 'held', version: '0' },
  ])
  t.same(world.changes, [])
})
