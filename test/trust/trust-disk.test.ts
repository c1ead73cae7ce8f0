// What a node's trust survives: damage, full disks, power cuts, slow clocks.

import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { openTrust, verifyOffline } from '../../src/trust/trust-store.ts'
import {
  acme,
  dayMs,
  failureOf,
  nodeDir,
  nodeOf,
  parentOf,
  publishRevision,
  recordingOf,
  refuses,
  revision,
  start,
  stillClock,
} from './acme.ts'
import type { MemoryDisk } from './memory-disk.ts'

const rolledBack = { code: 'rolled-back', attack: 'rolled-back' } as const

const open = (disk: MemoryDisk) => openTrust({ dir: nodeDir, clock: stillClock(), disk, log: { warn() {} } })

function truncate(disk: MemoryDisk, path: string): void {
  const entry = disk.entries.get(path)
  if (entry?.kind !== 'file') throw new Error(`${path} is no file`)
  disk.entries.set(path, { ...entry, content: entry.content.subarray(0, 40) })
}

t.test('damage to any stored file heals with the next refresh', async (t) => {
  const root = await acme()
  await publishRevision(root.fleet, revision(1))
  const node = await nodeOf(root)
  const state = await node.trust.refresh(parentOf(root.fleet))
  const stored = [...node.disk.entries].filter(([path, entry]) => entry.kind === 'file' && path.startsWith(nodeDir))
  t.equal(stored.length, 6)
  for (const [path] of stored.filter(([path]) => path !== `${nodeDir}/1.root.json`)) {
    for (const damage of [truncate, (disk: MemoryDisk) => disk.entries.delete(path)]) {
      const disk = node.disk.copy()
      damage(disk, path)
      const trust = await open(disk)
      if (path.endsWith('floors.json')) t.same(trust.current(), state, `${path}: nothing is lost`)
      else t.equal(trust.current(), undefined, `${path}: nothing is believed that cannot be checked`)
      t.same(await trust.refresh(parentOf(root.fleet)), state, path)
      t.same(await verifyOffline(nodeDir, disk), state, path)
    }
  }
})

t.test('healing is no way back to old metadata', async (t) => {
  const root = await acme()
  await publishRevision(root.fleet, revision(1))
  const old = await recordingOf(root.fleet)
  await publishRevision(root.fleet, revision(2))
  const node = await nodeOf(root)
  await node.trust.refresh(parentOf(root.fleet))
  await node.disk.remove(`${nodeDir}/1`)
  const healing = { trust: await node.reopen(), disk: node.disk }
  t.equal(healing.trust.current(), undefined)
  await refuses(t, healing, parentOf(root.fleet, old), {
    ...rolledBack,
    message: /timestamp\.json is version 2, and version 3 was trusted before/,
  })
  t.equal((await healing.trust.refresh(parentOf(root.fleet))).timestampVersion, 3)
})

t.test('a new node refuses what is older than its token', async (t) => {
  const root = await acme()
  const old = await recordingOf(root.fleet)
  await publishRevision(root.fleet, revision(1))
  const node = await nodeOf(root, { atLeast: { timestampVersion: 2, signedAt: start } })
  await refuses(t, node, parentOf(root.fleet, old), rolledBack)
  t.equal((await node.trust.refresh(parentOf(root.fleet))).timestampVersion, 2)
})

t.test('a node whose clock is 400 days slow knows from signed times what is over', async (t) => {
  const root = await acme()
  const node = await nodeOf(root, { clock: stillClock(start - 400 * dayMs) })
  await node.trust.refresh(parentOf(root.fleet))
  const old = await recordingOf(root.fleet)
  root.clock.at += 2 * dayMs
  await root.fleet.renewTimestamp()
  t.equal((await node.trust.refresh(parentOf(root.fleet))).signedAt, start + 2 * dayMs)

  for (const damaged of [false, true]) {
    if (damaged) await node.disk.remove(`${nodeDir}/2`)
    const trust = await node.reopen()
    t.equal((await failureOf(trust.refresh(parentOf(root.fleet, old)))).code, damaged ? 'expired' : 'rolled-back')
  }
  const fresh = await nodeOf(root, { clock: node.clock, atLeast: { timestampVersion: 1, signedAt: root.clock.at } })
  await refuses(t, fresh, parentOf(root.fleet, old), { code: 'expired', attack: 'frozen' })
})

t.test('a full disk while refreshing leaves a node that works afterwards', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  const before = await node.trust.refresh(parentOf(root.fleet))
  await publishRevision(root.fleet, revision(1))
  node.disk.onChange = (path) => {
    // Removing works on a full disk.
    if (path === `${nodeDir}/1` || (path === `${nodeDir}/2` && node.disk.entries.has(path))) return
    throw new Failure('no-space', `no space left for ${path}`, { retry: 'later' })
  }
  await refuses(t, node, parentOf(root.fleet), { code: 'no-space' })
  t.same((await node.reopen()).current(), before)

  let left = 3
  const full = node.disk.onChange
  node.disk.onChange = (path) => (left-- > 0 ? undefined : full(path))
  await refuses(t, node, parentOf(root.fleet), { code: 'no-space' })
  t.same((await node.reopen()).current(), before)

  node.disk.onChange = () => {}
  t.equal((await node.trust.refresh(parentOf(root.fleet))).timestampVersion, 2)
})

t.test('after a power cut at any step a node trusts the old state or the new one, and goes on', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  const before = await node.trust.refresh(parentOf(root.fleet))
  await publishRevision(root.fleet, revision(1))
  const outcomes: (number | undefined)[] = []
  for (let steps = 0; ; steps++) {
    const disk = node.disk.copy()
    let left = steps
    disk.onChange = () => {
      if (left-- <= 0) throw new Error('power cut')
    }
    const trust = await open(disk)
    const done = await trust.refresh(parentOf(root.fleet)).then(
      () => true,
      () => false,
    )
    disk.onChange = () => {}
    const again = await open(disk)
    outcomes.push(again.current()?.timestampVersion)
    t.equal((await again.refresh(parentOf(root.fleet))).timestampVersion, 2, `cut after ${steps} steps`)
    t.same(await verifyOffline(nodeDir, disk), again.current())
    if (done) break
  }
  t.same([...new Set(outcomes)], [before.timestampVersion, 2])
})

t.test('floors that cannot be written are written by the next refresh', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  node.disk.onChange = (path) => {
    if (path.endsWith('floors.json')) throw new Failure('no-space', 'no space left', { retry: 'later' })
  }
  await node.trust.refresh(parentOf(root.fleet))
  t.same(node.warnings, ['floors of the trusted metadata not written'])
  node.disk.onChange = () => {}
  await node.trust.refresh(parentOf(root.fleet))
  const floors = Buffer.from(await node.disk.read(`${nodeDir}/floors.json`)).toString()
  t.match(JSON.parse(floors), { timestamp: 1, snapshot: 1, targets: 1, rollouts: 1, signedAt: start })
})

t.test('a restart forgets nothing that was trusted, however old it is', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  const state = await node.trust.refresh(parentOf(root.fleet))
  node.clock.at += 20 * limits.rootLifetimeMs
  t.same((await node.reopen()).current(), state)
})
