import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { findApplies, markApplyTaken, startApply, waitForApply } from '../../../src/reconcile/apply/apply.ts'
import { isApplying } from '../../../src/reconcile/apply/apply-lock.ts'
import { runApply } from '../../../src/reconcile/apply/apply-run.ts'
import { copyFileOnDisk } from '../../../src/reconcile/apply/payload-copies.ts'
import type { Plan } from '../../../src/reconcile/plan.ts'
import type { Providers } from '../../../src/reconcile/providers/provider.ts'
import { providersFor } from '../../../src/reconcile/providers/providers.ts'
import { onSmallDisk } from '../../world/small-disk.ts'
import { type ApplyWorld, applyWorld, begun, until, waitFor } from '../apply-world.ts'

// apt, dpkg and the apply process are real, and other tests run beside these.
t.setTimeout(1_200_000)

t.test('a machine converges to what was signed, and back to nothing', async (t) => {
  const world = await applyWorld(t)
  const [tool, shop1, shop2] = [
    await world.deb({ name: 'tool', version: '1.0' }),
    await world.tree({ name: 'shop', version: '1.0', scripts: { postInstall: 'echo shop says hello' } }),
    await world.tree({ name: 'shop', version: '2.0' }),
  ]
  await world.release({ tool, shop: shop1 })
  t.match((await world.converge()).outcomes, [
    { name: 'tool', kind: 'deb', outcome: 'changed', version: '1.0' },
    { name: 'shop', kind: 'tree', outcome: 'changed', version: '1.0' },
  ])
  t.match((await world.look()).differences, [])
  t.match((await world.lookFully()).kept, [
    { name: 'shop', outcome: 'kept' },
    { name: 'tool', outcome: 'kept' },
  ])

  await world.release({ tool, shop: shop2 })
  t.match((await world.converge()).outcomes, [{ name: 'shop', outcome: 'changed', version: '2.0', before: '1.0' }])
  await fs.rm(path.join(world.targetRoot, 'opt/tool/VERSION'))
  t.match((await world.look()).differences, [
    { name: 'tool', what: 'reinstall', cause: 'drift', found: /missing \/opt\/tool/ },
  ])
  t.match((await world.converge()).outcomes, [{ name: 'tool', outcome: 'changed', difference: 'drift' }])

  await world.release({ tool: 'absent' })
  t.match((await world.converge()).outcomes, [
    { name: 'shop', outcome: 'changed', version: null },
    { name: 'tool', outcome: 'changed', version: null },
  ])
  t.match((await world.look()).differences, [])
  t.same(world.records, [])
  t.same(await fs.readdir(path.join(world.targetRoot, 'opt')).catch(() => []), [])
})

t.test('what programs print is kept with the outcomes', async (t) => {
  const world = await applyWorld(t)
  const shop = await world.tree({ name: 'shop', version: '1.0', scripts: { postInstall: 'seq 100000; echo hello' } })
  await world.release({ shop })
  const { plan } = await world.look()
  const ended = await applied(world, plan)
  t.equal(ended.state, 'finished')
  if (ended.state !== 'finished') return
  t.match(ended.applied.output, /hello/)
  t.ok(ended.applied.output.length <= limits.outputKeptBytes)
})

t.test('a payload that is altered between plan and apply is refused, and nothing is installed', async (t) => {
  const world = await applyWorld(t)
  const [tool, shop] = [
    await world.deb({ name: 'tool', version: '1' }),
    await world.tree({ name: 'shop', version: '1' }),
  ]
  await world.release({ tool, shop })
  const { plan } = await world.look()
  for (const { path: file } of [tool, shop]) await fs.appendFile(file, 'x')
  const { outcomes, damaged } = await world.machine.apply(plan)
  t.equal(damaged.length, 2, 'and the daemon hears of both')
  t.match(outcomes, [
    { name: 'tool', outcome: 'failed', version: null, detail: /not what was signed: its SHA-256 differs/ },
    { name: 'shop', outcome: 'failed', version: null, detail: /not what was signed: its SHA-256 differs/ },
  ])
  t.same(await fs.readdir(world.targetRoot), [])
})

t.test('what was hashed is what is installed, whatever whoever has the payload open writes into it then', async (t) => {
  const world = await applyWorld(t)
  const [old, tool, shop] = [
    await world.deb({ name: 'tool', version: '1' }),
    await world.deb({ name: 'tool', version: '2', scripts: { postInstall: 'exit 3' } }),
    await world.tree({ name: 'shop', version: '1' }),
  ]
  await world.release({ tool: old })
  await world.converge()
  await world.release({ tool, shop })
  const { plan } = await world.look()
  const open = await Promise.all([old, tool, shop].map((built) => fs.open(built.path, 'r+')))
  t.teardown(() => Promise.all(open.map((file) => file.close())))
  const seen: { path: string; mode: number; folderMode: number }[] = []
  const providers = new Map(providersFor(world.parts))
  for (const [kind, provider] of providers) {
    const ensure: typeof provider.ensure = async (steps, context) => {
      for (const { action } of steps) {
        for (const file of [action.source?.path, action.previous?.path]) {
          if (file === undefined) continue
          const [own, folder] = [await fs.stat(file), await fs.stat(path.dirname(file))]
          seen.push({ path: file, mode: own.mode & 0o777, folderMode: folder.mode & 0o777 })
        }
      }
      for (const file of open) await file.write('no longer what was signed', 0)
      return await provider.ensure(steps, context)
    }
    providers.set(kind, { ...provider, ensure })
  }
  const outcomes = await runHere(world, plan, { providers })
  t.match(outcomes, [
    { name: 'tool', outcome: 'failed', version: '1', detail: /1 was put back/ },
    { name: 'shop', outcome: 'failed', version: null, detail: /not what was signed/ },
  ])
  t.match((await world.lookFully()).differences, [{ name: 'shop' }, { name: 'tool', what: 'upgrade' }])
  t.equal(seen.length, 2, 'the new deb and the one before it')
  for (const { path: file, mode, folderMode } of seen) {
    t.equal(path.dirname(file), path.join(world.home, 'apply/here/payloads'))
    t.equal(mode, 0o400)
    t.equal(folderMode, 0o700)
  }
  t.same(await fs.readdir(path.join(world.home, 'apply/here')), ['deb'], 'the copies go when it has ended')
})

t.test('a tree is unpacked from what was hashed', async (t) => {
  const world = await applyWorld(t)
  const shop = await world.tree({ name: 'shop', version: '1' })
  await world.release({ shop })
  const { plan } = await world.look()
  const file = await fs.open(shop.path, 'r+')
  t.teardown(() => file.close())
  const journal = async (step: string) => {
    if (/^unpacking/.test(step)) await file.write('no longer what was signed', 0)
  }
  t.match(await runHere(world, plan, { journal }), [{ name: 'shop', outcome: 'changed', version: '1' }])
  t.match((await world.lookFully()).differences, [])
})

t.test('a copy for which there is no room refuses the package and leaves nothing', async (t) => {
  const world = await applyWorld(t)
  const shop = await world.tree({ name: 'shop', version: '1', files: { big: 'x'.repeat(2_000_000) } })
  await world.release({ shop })
  const { plan } = await world.look()
  await t.test('on a disk of one megabyte', async (t) => {
    await onSmallDisk(t, 1, async (folder) => {
      const outcomes = await runHere(world, plan, { workFolder: folder })
      t.match(outcomes, [{ name: 'shop', outcome: 'failed', version: null, detail: /^no space: \d+ bytes needed/ }])
      t.same(await fs.readdir(folder), [])
    })
  })
})

t.test('a plan that names what the revision does not is refused', async (t) => {
  const world = await applyWorld(t)
  const [shop, evil] = [
    await world.tree({ name: 'shop', version: '1' }),
    await world.tree({ name: 'shop', version: '1', files: { evil: 'x' } }),
  ]
  await world.release({ shop })
  await fs.writeFile(path.join(world.home, 'objects', evil.digest), JSON.stringify(evil.manifest))
  const { plan } = await world.look()
  const sources = [
    { manifest: evil.digest, payload: evil.manifest.payload.sha256, path: evil.path },
    { manifest: shop.digest, payload: evil.manifest.payload.sha256, path: evil.path },
    { manifest: shop.digest, payload: shop.manifest.payload.sha256, path: evil.path },
    null,
  ]
  for (const source of sources) {
    const forged: Plan = { ...plan, actions: plan.actions.map((action) => ({ ...action, source })) }
    t.match((await world.machine.apply(forged)).outcomes, [{ outcome: 'failed', version: null }])
  }
  const renamed: Plan = { ...plan, actions: plan.actions.map((action) => ({ ...action, name: 'other' })) }
  t.match((await world.machine.apply(renamed)).outcomes, [{ name: 'other', outcome: 'failed', version: null }])
  t.same(await fs.readdir(world.targetRoot), [])
})

t.test('metadata that does not hold stops everything', async (t) => {
  const world = await applyWorld(t)
  await world.release({ shop: await world.tree({ name: 'shop', version: '1' }) })
  const { plan } = await world.look()
  const folder = path.join(world.home, 'tuf/current')
  for (const name of await fs.readdir(folder)) {
    if (!name.includes('targets')) continue
    const text = await fs.readFile(path.join(folder, name), 'utf8')
    await fs.writeFile(path.join(folder, name), text.replace(plan.digest, '0'.repeat(64)))
  }
  t.match((await world.machine.apply(plan)).outcomes, [{ outcome: 'failed', version: null, detail: /^not applied: / }])
  t.same(await fs.readdir(world.targetRoot), [])
})

t.test('if the revision moves between plan and apply, what it no longer names is left for the next plan', async (t) => {
  const world = await applyWorld(t)
  const [keep, drop, gone] = await Promise.all(
    ['keep', 'drop', 'gone'].map((name) => world.tree({ name, version: '1' })),
  )
  if (keep === undefined || drop === undefined || gone === undefined) return
  await world.release({ gone })
  await world.converge()
  await world.release({ keep, drop })
  const { plan } = await world.look()
  await world.release({ keep })
  t.match((await world.machine.apply(plan)).outcomes, [
    { name: 'gone', outcome: 'skipped', version: '1', detail: /revision 3 took the place of 2/ },
    { name: 'drop', outcome: 'skipped', version: null },
    { name: 'keep', outcome: 'changed', version: '1' },
  ])
})

t.test('a second apply does not start beside the first, and does nothing', async (t) => {
  const world = await applyWorld(t)
  const slow = await world.tree({ name: 'slow', version: '1', scripts: { preInstall: waitFor(world, 'go') } })
  await world.release({ slow })
  const { plan } = await world.look()
  const first = await startApply(world.parts, plan)
  await begun(world, first.txid)
  await t.rejects(world.machine.apply(plan), { code: 'locked' })
  t.match(await findApplies(world.parts), [{ txid: first.txid, state: 'running' }])
  await fs.writeFile(path.join(world.home, 'go'), '')
  const ended = await waitForApply(world.parts, { ...first, plan })
  t.match(ended, { state: 'finished', applied: { outcomes: [{ name: 'slow', outcome: 'changed' }] } })
  t.match((await world.machine.apply(plan)).outcomes, [{ outcome: 'kept' }], 'and then it is free again')
})

t.test('an apply outlives the daemon that started it, and its outcomes are taken once', async (t) => {
  const world = await applyWorld(t)
  const slow = await world.tree({ name: 'slow', version: '1', scripts: { preInstall: waitFor(world, 'go') } })
  await world.release({ slow })
  const first = await startApply(world.parts, (await world.look()).plan)
  await begun(world, first.txid)
  const restarted = world.restart({ dies: true })
  await fs.writeFile(path.join(world.home, 'go'), '')
  t.same(await restarted, [{ name: 'slow', outcome: 'changed' }])
  t.match((await world.look()).differences, [])
  t.same(await world.restart(), [{ name: 'slow', outcome: 'changed' }], 'not yet stored, so once more')
  t.same(await world.restart(), [])
  t.match(world.records, [{ name: 'slow', version: '1', state: 'installed' }])
})

t.test('one apply that is stored says nothing of another', async (t) => {
  const world = await applyWorld(t)
  const applied = []
  for (const name of ['first', 'second']) {
    await world.release({ [name]: await world.tree({ name, version: '1' }) })
    applied.push(await world.machine.apply((await world.look()).plan))
  }
  await world.machine.stored([applied[1]?.txid ?? ''])
  t.same(await world.restart(), [{ name: 'first', outcome: 'changed' }])
})

t.test('an apply that dies at once is reported and does not hang anybody', async (t) => {
  const world = await applyWorld(t)
  await world.release({ shop: await world.tree({ name: 'shop', version: '1' }) })
  const { plan } = await world.look()
  const { txid, pid } = await startApply({ ...world.parts, program: path.join(world.home, 'no-such-program.ts') }, plan)
  t.match(await waitForApply(world.parts, { txid, pid, plan }), { state: 'aborted', attempted: [], lastStep: null })
  t.same(await world.restart(), [{ name: 'shop', outcome: 'skipped' }])
  t.match((await world.converge()).outcomes, [{ outcome: 'changed' }])
})

t.test('an apply that begins after its daemon gave up on it does nothing', async (t) => {
  const world = await applyWorld(t)
  await world.release({ shop: await world.tree({ name: 'shop', version: '1' }) })
  const { plan } = await world.look()
  const { txid, pid } = await startApply(world.parts, plan)
  process.kill(pid, 'SIGSTOP')
  let nowMs = 0
  const clock = {
    ...world.parts.clock,
    monotonicMs: () => {
      nowMs += limits.applyStartMs
      return nowMs
    },
  }
  // It may have been quicker than the signal.
  if (await isApplying(world.home)) return t.comment('it had begun already')
  t.match(await waitForApply({ ...world.parts, clock }, { txid, pid, plan }), { state: 'aborted', attempted: [] })
  process.kill(pid, 'SIGCONT')
  await until(async () => !isAlive(pid))
  t.same(await fs.readdir(world.targetRoot), [], 'nothing is installed')
  t.match(await findApplies(world.parts), [{ txid, state: 'aborted', attempted: [] }])
  t.same(await world.restart(), [{ name: 'shop', outcome: 'skipped' }])
  t.match((await world.converge()).outcomes, [{ outcome: 'changed' }])
})

t.test('outcomes that cannot be read are judged by the machine, and keep no others back', async (t) => {
  const world = await applyWorld(t)
  const [shop, tool] = [
    await world.tree({ name: 'shop', version: '1' }),
    await world.deb({ name: 'tool', version: '1' }),
  ]
  await world.release({ shop })
  const first = await startApply(world.parts, (await world.look()).plan)
  await waitForApply(world.parts, { ...first, plan: (await world.look()).plan })
  await world.release({ shop, tool })
  const { plan } = await world.look()
  const second = await startApply(world.parts, plan)
  await waitForApply(world.parts, { ...second, plan })
  await fs.writeFile(path.join(world.home, 'apply', first.txid, 'outcomes.json'), '{"schema":0}')
  t.same(await world.restart(), [
    { name: 'shop', outcome: 'changed' },
    { name: 'tool', outcome: 'changed' },
  ])
  t.match(world.records, [
    { name: 'shop', state: 'installed' },
    { name: 'tool', state: 'installed' },
  ])
  t.same(await world.restart(), [])
})

t.test('an apply killed while dpkg works is found, repaired and finished', async (t) => {
  const world = await applyWorld(t)
  const script = { postInstall: waitFor(world, 'go') }
  const slow = await world.deb({ name: 'slow', version: '1', scripts: script })
  await world.release({ slow })
  const { txid, pid } = await startApply(world.parts, (await world.look()).plan)
  await begun(world, txid, /apt-get install/)
  process.kill(pid, 'SIGKILL')
  await until(async () => !(await isApplying(world.home)))
  t.same(await world.restart(), [{ name: 'slow', outcome: 'skipped' }])
  await fs.writeFile(path.join(world.home, 'go'), '')
  // Its apt may have gone on without it and be done by now: then there is nothing left to do, and
  // it is ours all the same.
  const { plan } = await world.look()
  if (plan.actions.length > 0) t.match((await world.machine.apply(plan)).outcomes, [{ version: '1' }])
  await until(async () => (await world.look()).differences.length === 0)
  t.pass('it converged')
})

t.test('a machine without the package manager of a kind refuses that kind, and keeps nobody back', async (t) => {
  const world = await applyWorld(t)
  const [shop, tool, foreign] = [
    await world.tree({ name: 'shop', version: '1' }),
    await world.deb({ name: 'tool', version: '1' }),
    await world.rpm({ name: 'foreign', version: '1-1' }),
  ]
  await world.release({ foreign, tool, shop })
  const { plan } = await world.look()
  const exec = { ...world.parts.exec, which: async () => undefined }
  const outcomes = await runHere(world, plan, { providers: providersFor({ ...world.parts, exec }) })
  t.match(outcomes, [
    {
      name: 'tool',
      kind: 'deb',
      outcome: 'failed',
      version: null,
      detail: /^there is no apt here: name other packages/,
    },
    {
      name: 'foreign',
      kind: 'rpm',
      outcome: 'failed',
      version: null,
      detail: /^there is no rpm here: .*install the package rpm/,
    },
    { name: 'shop', outcome: 'changed' },
  ])
  t.same(await fs.readdir(world.targetRoot), ['opt'])
})

t.test('of old transactions only a few are kept', async (t) => {
  const world = await applyWorld(t)
  await world.release({ shop: await world.tree({ name: 'shop', version: '1' }) })
  const { plan } = await world.look()
  const done: string[] = []
  for (let n = 0; n < limits.appliesKept + 2; n += 1) {
    const txid = `0000000${n}-00000000`
    await fs.mkdir(path.join(world.home, 'apply', txid), { recursive: true })
    await fs.writeFile(path.join(world.home, 'apply', txid, 'plan.json'), JSON.stringify(plan))
    done.push(txid)
  }
  await fs.mkdir(path.join(world.home, 'apply', 'never-began'))
  t.same(
    (await findApplies(world.parts)).map(({ txid }) => txid),
    done,
  )
  for (const txid of done) await markApplyTaken(world.parts, txid)
  t.same(await findApplies(world.parts), [])
  t.same(await fs.readdir(path.join(world.home, 'apply')), done.slice(-limits.appliesKept))
})

/** As the apply process does, but in this one. */
async function runHere(
  world: ApplyWorld,
  plan: Plan,
  more: { providers?: Providers; workFolder?: string; journal?: (step: string) => Promise<void> },
) {
  const { home, disk } = world.parts
  const workFolder = more.workFolder ?? path.join(home, 'apply/here')
  await fs.mkdir(workFolder, { recursive: true })
  return await runApply({
    plan,
    home,
    targetRoot: world.targetRoot,
    disk,
    copyFile: copyFileOnDisk,
    providers: more.providers ?? providersFor(world.parts),
    trustedRevision: async () => plan.digest,
    context: { workFolder, journal: more.journal ?? (async () => {}), output: () => {} },
    onDamaged: () => {},
    isStopping: () => false,
  })
}

async function applied(world: ApplyWorld, plan: Plan) {
  const { txid, pid } = await startApply(world.parts, plan)
  return await waitForApply(world.parts, { txid, pid, plan })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

t.test('one change: what is tied to a payload that was altered stays as it is', async (t) => {
  const world = await applyWorld(t)
  const fields = ['Provides: mta', 'Conflicts: mta', 'Replaces: mta']
  const [old, fresh] = [
    await world.deb({ name: 'oldmta', version: '1', fields }),
    await world.deb({ name: 'newmta', version: '1', fields }),
  ]
  await world.release({ oldmta: old })
  await world.converge()
  await world.release({ newmta: fresh })
  const { plan } = await world.look()
  t.match(plan.actions, [
    { name: 'oldmta', what: 'remove', together: ['deb/newmta'], previous: { version: '1' } },
    { name: 'newmta', together: ['deb/oldmta'] },
  ])
  const signed = await fs.readFile(fresh.path)
  await fs.appendFile(fresh.path, 'x')
  t.match((await world.machine.apply(plan)).outcomes, [
    { name: 'oldmta', outcome: 'skipped', version: '1', detail: /^not without newmta: the payload .* differs$/ },
    { name: 'newmta', outcome: 'failed' },
  ])
  await fs.writeFile(fresh.path, signed)
  t.match((await world.converge()).outcomes, [
    { name: 'oldmta', outcome: 'changed', version: null },
    { name: 'newmta', outcome: 'changed', version: '1' },
  ])
})
