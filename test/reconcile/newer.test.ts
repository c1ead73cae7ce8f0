// A version that is newer than wanted: somebody else, such as the distribution's own updater, has
// installed it.

import t, { type Test } from 'tap'
import { type DesiredPackage, desiredFor } from '../../src/model/desired.ts'
import type { Kind, Manifest } from '../../src/model/manifest.ts'
import type { Actual, InstalledRecord } from '../../src/reconcile/actual.ts'
import { differencesBetween } from '../../src/reconcile/differences.ts'
import { outcomesKept } from '../../src/reconcile/kept.ts'
import { planFor } from '../../src/reconcile/plan.ts'
import { isReached, outcomeOf } from '../../src/reconcile/providers/provider.ts'
import { recordsAfter } from '../../src/reconcile/records.ts'
import { systemExec } from '../../src/world/exec.ts'
import { hasProgram } from '../repository/workbench.ts'
import { type ApplyWorld, applyWorld } from './apply-world.ts'
import type { Built } from './packages.ts'
import { inRoot, makeRpmMachine } from './rpm-machine.ts'

// dpkg, apt and rpm are real, and other tests run beside these.
t.setTimeout(600_000)
const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'
const shared = t.testdir({})

const digest = (text: string) => Buffer.from(text.padEnd(32, '.')).toString('hex').slice(0, 64)

interface Case {
  kind?: Kind
  wanted: string
  /** Absent: exactly `wanted`. */
  least?: string
  there: string
  more?: Partial<Actual>
  record?: Partial<InstalledRecord>
}

function look({ kind = 'deb', wanted, least, there, more = {}, record }: Case) {
  const by = { ...{ name: 'shop', version: wanted, manifest: digest(wanted), line: 1 }, ...(least && { least }) }
  const desired: DesiredPackage[] = [{ state: 'present', ...by }]
  const manifest = { kind, name: 'shop', version: wanted, payload: { sha256: digest(`p${wanted}`) }, depends: [] }
  const manifests = new Map([[digest(wanted), manifest as unknown as Manifest]])
  const own = { name: 'shop', kind, version: there, found: '', held: false, payload: null }
  const actual: Actual[] = [{ ...own, state: 'whole', ...more }]
  const known = { name: 'shop', kind, manifest: digest('old'), payload: digest('pold'), revision: 1, foundThere: false }
  const installed = record === undefined ? [] : [{ ...known, version: there, state: 'installed' as const, ...record }]
  const differences = differencesBetween({ desired, manifests, actual, installed, revision: 7, converged: 6 })
  const payloadsHere = new Map([[digest(`p${wanted}`), '/store/p']])
  const plan = planFor(differences, {
    revision: { number: 7, digest: digest('7') },
    manifests,
    payloadsHere,
    installed,
  })
  return { plan, differences, kept: outcomesKept({ desired, actual, differences, plan }) }
}

const told = (some: Case) => {
  const { plan, kept } = look(some)
  return [...plan.actions.map(({ what }) => what), ...kept.map(({ outcome }) => outcome)].join()
}

t.test('latest never downgrades, an exact version does', async (t) => {
  t.equal(told({ wanted: '1.0', least: '1.0', there: '1.1' }), 'newer')
  t.equal(told({ wanted: '1.0', there: '1.1' }), 'downgrade')
  t.equal(told({ wanted: '1.0', least: '1.0', there: '0.9' }), 'upgrade')
  t.equal(told({ wanted: '1.0', least: '1.0', there: '1.0' }), 'kept')
  const { kept, differences } = look({ wanted: '1.0', least: '1.0', there: '1.1' })
  t.same(differences, [], 'the machine has converged')
  t.match(kept, [{ version: '1.1', difference: null, detail: /1\.1 is newer than 1\.0 and stays/ }])
})

t.test('what satisfies >= stays, also below the newest published version', async (t) => {
  t.equal(told({ wanted: '1.4', least: '1.2', there: '1.3' }), 'kept')
  t.equal(told({ wanted: '1.4', least: '1.2', there: '1.2' }), 'kept')
  t.equal(told({ wanted: '1.4', least: '1.2', there: '1.5' }), 'newer')
  t.equal(told({ wanted: '1.4', least: '1.2', there: '1.1' }), 'upgrade')
  const damaged = { state: 'drifted' as const, found: 'its files were changed' }
  t.equal(told({ wanted: '1.4', least: '1.2', there: '1.3', more: damaged }), 'upgrade', 'but not damaged')
})

t.test('newer is what the package manager of that kind calls newer', async (t) => {
  t.equal(told({ wanted: '1.0-1', least: '1.0-1', there: '1.0-1+deb12u1' }), 'newer')
  t.equal(told({ wanted: '1.0-1', least: '1.0-1', there: '1.0~rc1-1' }), 'upgrade')
  t.equal(told({ wanted: '2:1.0', least: '2:1.0', there: '9.0' }), 'upgrade', 'an epoch counts first')
  t.equal(told({ kind: 'rpm', wanted: '1.0-1', least: '1.0-1', there: '1.0^git1-1' }), 'newer')
  t.equal(told({ kind: 'rpm', wanted: '1.0-1', least: '1.0-1', there: '1:0.1-1' }), 'newer')
  t.equal(told({ kind: 'rpm', wanted: '1.10-1', least: '1.10-1', there: '1.9-3' }), 'upgrade')
})

t.test('a newer version that is not whole fails with what mends it, and is not downgraded', async (t) => {
  const more = { state: 'broken' as const, found: '1.1 is half-configured' }
  const { plan, kept } = look({ wanted: '1.0', least: '1.0', there: '1.1', more })
  t.same(plan.actions, [])
  t.match(kept, [{ outcome: 'failed', version: '1.1', detail: /half-configured; dpkg --configure -a/ }])
})

t.test('what banyan itself has left unfinished is put right, whatever its version', async (t) => {
  t.equal(told({ wanted: '1.0', least: '1.0', there: '1.1', record: { state: 'unfinished' } }), 'downgrade')
})

t.test('the wanted version that somebody else has installed has no other content', async (t) => {
  t.equal(told({ wanted: '1.1', there: '1.1', record: { version: '1.0' } }), 'kept')
  t.equal(told({ wanted: '1.1', there: '1.1', record: { version: '1.1' } }), 'reinstall', 'but ours has')
})

t.test('what became newer between the look and the apply is not downgraded', async (t) => {
  const { plan } = look({ wanted: '1.1', least: '1.1', there: '1.0' })
  const [action] = plan.actions
  if (action === undefined) throw new Error('there is no action')
  const own = { name: 'shop', kind: 'deb' as const, state: 'whole' as const, found: '', held: false, payload: null }
  const there: Actual = { ...own, version: '1.2' }
  t.ok(isReached(action, there))
  const outcome = outcomeOf({ action, before: there, after: there, acted: false })
  t.match(outcome, { outcome: 'newer', version: '1.2', difference: null })
  t.same(recordsAfter([], plan, [outcome]), [], 'and is not ours')
  const { least: _, ...exact } = action
  t.notOk(isReached(exact, there))
})

t.test('a revision says what its rule meant', async (t) => {
  const traits = { name: 'web-1', site: '', arch: 'amd64' as const, labels: {}, facts: {} }
  const builds = { all: { version: '1.4', manifest: digest('1.4') } }
  const leastOf = (terms: { orNewer?: true; least?: string }) => {
    const packages = { shop: { state: 'present' as const, builds, ...terms } }
    const [wanted] = desiredFor({ groups: {}, rules: [{ line: 1, nodes: 'all', except: [], packages }] }, traits)
    return wanted?.state === 'present' ? wanted.least : 'not present'
  }
  t.equal(leastOf({}), undefined)
  t.equal(leastOf({ orNewer: true }), '1.4')
  t.equal(leastOf({ orNewer: true, least: '1.2' }), '1.2')
})

/** The same with the tools of each kind. `put` installs a package as another updater would. */
async function neverBackwards(
  t: Test,
  world: ApplyWorld,
  build: (version: string) => Promise<Built>,
  put: (built: Built) => Promise<unknown>,
): Promise<void> {
  const [old, newer, newest] = [await build('1.0-1'), await build('1.1-1'), await build('1.2-1')]
  const installed = async () => (await world.look()).kept.map(({ outcome, version }) => `${outcome} ${version}`)
  await world.release({ shop: old }, { orNewer: true })
  t.match((await world.converge()).outcomes, [{ outcome: 'changed', version: '1.0-1' }])
  await put(newer)
  t.same(await installed(), ['newer 1.1-1'])
  t.same((await world.converge()).outcomes, [], 'and nothing is done')

  // The look is older than what somebody else does.
  await world.release({ shop: newest }, { orNewer: true })
  const { plan } = await world.look()
  await put(await build('1.3-1'))
  t.match((await world.machine.apply(plan)).outcomes, [{ outcome: 'newer', version: '1.3-1' }])
  t.same(await installed(), ['newer 1.3-1'])

  await world.release({ shop: newer })
  t.match((await world.converge()).outcomes, [{ outcome: 'changed', version: '1.1-1', before: '1.3-1' }])
}

t.test('with dpkg and apt a newer version stays until an exact one is wanted', async (t) => {
  const world = await applyWorld(t)
  const put = async ({ path }: Built) => {
    const args = [`--root=${world.targetRoot}`, '--force-script-chrootless', '-i', path]
    const run = await systemExec.run({ program: 'dpkg', args, timeoutMs: 60_000 })
    t.equal(run.code, 0, run.stderr)
  }
  await neverBackwards(t, world, (version) => world.deb({ name: 'shop', version }), put)
})

const skip = isCi || hasProgram('rpm') ? false : 'rpm is not on this machine'
t.test('with rpm a newer version stays until an exact one is wanted', { skip }, async (t) => {
  const world = await applyWorld(t)
  await makeRpmMachine(world.targetRoot, shared)
  const put = ({ path }: Built) => inRoot(world.targetRoot, '-U', path)
  await neverBackwards(t, world, (version) => world.rpm({ name: 'shop', version }), put)
})
