// A root makes its fleet and publishes for it.

import { hash, X509Certificate } from 'node:crypto'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { openFleet } from '../../src/trust/fleet.ts'
import { initFleet } from '../../src/trust/fleet-init.ts'
import { loadIdentity } from '../../src/trust/identity.ts'
import { openTrust } from '../../src/trust/trust-store.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { acme, dayMs, failureOf, home, nodeOf, parentOf, publishRevision, revision, start, stillClock } from './acme.ts'
import { type MemoryDisk, memoryDisk } from './memory-disk.ts'

const init = (disk: MemoryDisk) =>
  initFleet({ dir: home, name: 'acme', nodeName: 'root', clock: stillClock(), random: seededRandom('init'), disk })

/**
 * Stops `work` after each number of steps in turn, until it gets to its end. Yields what is on the
 * disk then.
 */
async function* cutAtEveryStep(disk: MemoryDisk, work: (disk: MemoryDisk) => Promise<unknown>) {
  for (let steps = 0; ; steps++) {
    const cut = disk.copy()
    let left = steps
    cut.onChange = () => {
      if (left-- <= 0) throw new Error('power cut')
    }
    const done = await work(cut).then(
      () => true,
      () => false,
    )
    cut.onChange = () => {}
    yield { disk: cut, done, steps }
    if (done) return
  }
}

t.test('a new fleet has a root node that is named, trusts it, and can publish', async (t) => {
  const root = await acme()
  const identity = await loadIdentity(`${home}/keys`, root.disk)
  t.match(identity, { name: 'root', notAfter: start + limits.certificateLifetimeMs })
  t.equal(root.fleet.name, 'acme')
  const trust = await openTrust({
    dir: `${home}/tuf`,
    clock: root.clock,
    disk: root.disk,
    log: { warn: (message) => void t.fail(message) },
  })
  t.match(await trust.refresh(parentOf(root.fleet)), { timestampVersion: 1, revision: null, rollouts: { size: 2 } })
  await publishRevision(root.fleet, revision(1))
  const { revision: published } = await trust.refresh(parentOf(root.fleet))
  t.equal(published?.sha256, hash('sha256', revision(1), 'hex'))
  t.same(await root.disk.read(`${home}/objects/${published?.sha256}`), revision(1), 'and the object is there')
  const privates = [...root.disk.entries].filter(([path]) => path.endsWith('.key.pem'))
  t.equal(privates.length, 7)
  for (const [path, entry] of privates) t.equal(entry.kind === 'file' && entry.mode, 0o600, path)
})

t.test('there is one fleet in a home, and none in the home of a node', async (t) => {
  const { disk } = await acme()
  const before = disk.picture()
  t.match(await failureOf(init(disk)), { code: 'already-exists', message: /has a fleet already/ })
  t.same(disk.picture(), before)
  const node = memoryDisk()
  await node.makeFolder(`${home}/keys`)
  t.match(await failureOf(init(node)), { code: 'already-exists', message: /is a node already/ })
})

t.test('a fleet is named by a word, and its root by a node name', async (t) => {
  const parts = { dir: home, clock: stillClock(), random: seededRandom('x'), disk: memoryDisk() }
  t.equal((await failureOf(initFleet({ ...parts, name: 'a,CN=b', nodeName: 'root' }))).code, 'bad-input')
  t.equal((await failureOf(initFleet({ ...parts, name: 'acme', nodeName: '../root' }))).code, 'bad-input')
  t.same(parts.disk.picture(), memoryDisk().picture())
})

t.test('a fleet is made as a whole or not at all, wherever the power is cut', async (t) => {
  const made = new Set<boolean>()
  for await (const { disk, steps } of cutAtEveryStep(memoryDisk(), init)) {
    const again = await init(disk).then(
      () => 'made',
      (error) => error.code,
    )
    made.add(again === 'made')
    if (again !== 'made') t.equal(again, 'already-exists', `cut after ${steps} steps`)
    const fleet = await openFleet({ dir: home, clock: stillClock(), random: seededRandom('x'), disk })
    await loadIdentity(`${home}/keys`, disk)
    const trust = await openTrust({
      dir: `${home}/tuf`,
      clock: stillClock(),
      disk,
      log: { warn: (message) => void t.fail(message) },
    })
    t.equal((await trust.refresh(parentOf(fleet))).timestampVersion, 1)
    t.equal(await disk.stat(`${home}/fleet/own`), undefined)
  }
  t.same([...made], [true, false])
})

t.test('wherever a publication is cut, nodes see the old state or the new one, and the next one repairs', async (t) => {
  const root = await acme()
  await publishRevision(root.fleet, revision(1))
  const seen = new Set<number>()
  const open = (disk: MemoryDisk) => openFleet({ dir: home, clock: root.clock, random: root.random, disk })
  const publish = async (disk: MemoryDisk) => publishRevision(await open(disk), revision(2))
  for await (const { disk, done, steps } of cutAtEveryStep(root.disk, publish)) {
    const fleet = await open(disk)
    const node = await nodeOf({ fleet, clock: root.clock })
    const { timestampVersion } = await node.trust.refresh(parentOf(fleet))
    seen.add(timestampVersion)
    t.equal(timestampVersion, done ? 3 : 2, `cut after ${steps} steps`)
    // Other content than what was cut: what nobody saw may be written over.
    await publishRevision(fleet, revision(3))
    const state = await node.trust.refresh(parentOf(fleet))
    t.equal(state.timestampVersion, timestampVersion + 1)
    t.equal(state.revision?.sha256, hash('sha256', revision(3), 'hex'))
  }
  t.same([...seen], [2, 3])
})

t.test('a publication that failed is published by asking again, without a restart', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  root.disk.onChange = (path) => {
    if (path.endsWith('timestamp.json')) throw new Error('power cut')
  }
  await t.rejects(publishRevision(root.fleet, revision(1)))
  t.match(await node.trust.refresh(parentOf(root.fleet)), { timestampVersion: 1, revision: null })
  root.disk.onChange = () => {}
  await publishRevision(root.fleet, revision(1))
  t.match(await node.trust.refresh(parentOf(root.fleet)), { timestampVersion: 2, revision: { size: 12 } })
})

t.test('publishing what is published changes nothing', async (t) => {
  const root = await acme()
  await publishRevision(root.fleet, revision(1))
  await root.fleet.publishRollouts(revision(7))
  const before = root.disk.picture()
  await root.fleet.publishRelease({ revision: revision(1), rollouts: revision(7) })
  await root.fleet.publishRollouts(revision(7))
  t.same(root.disk.picture(), before)
})

t.test('publications that are asked for at once are published one after the other', async (t) => {
  const root = await acme()
  await Promise.all([
    publishRevision(root.fleet, revision(1)),
    root.fleet.renewTimestamp(),
    root.fleet.publishRollouts(revision(7)),
    root.fleet.publishRelease({ revision: revision(2), rollouts: revision(7) }),
  ])
  t.equal(root.fleet.timestamp().version, 5)
  const node = await nodeOf(root)
  const state = await node.trust.refresh(parentOf(root.fleet))
  t.equal(state.revision?.sha256, hash('sha256', revision(2), 'hex'))
  t.equal(state.rollouts?.sha256, hash('sha256', revision(7), 'hex'))
})

t.test('a renewed timestamp brings no other file', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  await node.trust.refresh(parentOf(root.fleet))
  const { renewAt } = root.fleet.timestamp()
  t.equal(renewAt, start + limits.timestampRenewAfterMs)
  root.clock.at = renewAt
  await root.fleet.renewTimestamp()
  t.same(root.fleet.timestamp(), {
    version: 2,
    expires: renewAt + limits.timestampLifetimeMs,
    renewAt: renewAt + limits.timestampRenewAfterMs,
  })
  const parent = parentOf(root.fleet)
  await node.trust.refresh(parent)
  t.same(parent.asked, ['2.root.json', 'timestamp.json'])
})

t.test('a shorter life of timestamps can be chosen', async (t) => {
  const root = await acme()
  const { clock, random, disk } = root
  const fleet = await openFleet({ dir: home, clock, random, disk, timestampLifetimeMs: 20_000 })
  await fleet.renewTimestamp()
  t.same(fleet.timestamp(), { version: 2, expires: start + 20_000, renewAt: start + 5_000 })
})

t.test('a fleet that nobody releases for lives on by its timestamps alone', async (t) => {
  const root = await acme()
  await publishRevision(root.fleet, revision(1))
  const node = await nodeOf(root)
  for (let months = 0; months < 36; months++) {
    root.clock.at += 30 * dayMs
    await root.fleet.renewTimestamp()
    t.equal((await node.trust.refresh(parentOf(root.fleet))).expires, root.fleet.timestamp().expires)
  }
})

t.test('a root whose clock was ahead and is set right again goes on signing what its nodes take', async (t) => {
  const root = await acme()
  const node = await nodeOf(root, { clock: stillClock() })
  root.clock.at += 100 * dayMs
  await root.fleet.renewTimestamp()
  await node.trust.refresh(parentOf(root.fleet))
  root.clock.at = start + 1000
  await publishRevision(root.fleet, revision(1))
  t.match(await node.trust.refresh(parentOf(root.fleet)), { timestampVersion: 3, signedAt: start + 100 * dayMs })
  const renewAt = start + 1000 + limits.timestampRenewAfterMs
  t.equal(root.fleet.timestamp().renewAt, renewAt, 'the next timestamp does not wait for the signed time')
})

t.test(
  'a root that was restored from an older copy signs nothing before it is recovered, and then above all',
  async (t) => {
    const root = await acme()
    const node = await nodeOf(root)
    await publishRevision(root.fleet, revision(1))
    const older = root.disk.copy()
    for (let number = 2; number <= 6; number += 1) await publishRevision(root.fleet, revision(number))
    const seen = await node.trust.refresh(parentOf(root.fleet))

    const { clock, random } = root
    const reopened = () => openFleet({ dir: home, clock, random, disk: older })
    const restored = await reopened()
    t.equal(restored.ahead(), null, 'nobody has called yet')
    t.equal(await restored.recover(), null)
    restored.versionHeard('n1', seen.timestampVersion)
    t.match(restored.ahead(), { version: seen.timestampVersion, signed: 2, agree: 1, voices: 1 })
    const refused = await failureOf(publishRevision(restored, revision(7)))
    t.match(refused, { code: 'conflict', message: /restored from an older copy/, hint: /banyan recover/ })
    t.match(await failureOf(restored.renewTimestamp()), { code: 'conflict' })

    t.match(await restored.recover(), { version: seen.timestampVersion })
    const again = await reopened()
    again.versionHeard('n1', seen.timestampVersion)
    t.equal(again.ahead(), null, 'it is remembered over a restart')
    const early = await failureOf(again.renewTimestamp())
    t.equal(early.code, 'conflict', 'what the copy wanted is not brought back')
    t.equal(again.numberFloor(), seen.timestampVersion)
    await publishRevision(again, revision(again.numberFloor() + 1))
    const next = await node.trust.refresh(parentOf(again))
    t.equal(next.timestampVersion, seen.timestampVersion + 1)
    t.not(next.revision?.sha256, seen.revision?.sha256)
    await again.renewTimestamp()
    t.equal((await node.trust.refresh(parentOf(again))).timestampVersion, seen.timestampVersion + 2, 'and it goes on')
  },
)

t.test('the owners can take the root key away from the root server', async (t) => {
  const root = await acme()
  await root.disk.remove(`${home}/fleet/keys/root.key.pem`)
  const fleet = await root.reopen()
  await publishRevision(fleet, revision(1))
  const node = await nodeOf(root)
  t.equal((await node.trust.refresh(parentOf(fleet))).timestampVersion, 2)
})

t.test('a fleet does not open with a key that others can read', async (t) => {
  const root = await acme()
  const path = `${home}/fleet/keys/targets.key.pem`
  await root.disk.write(path, await root.disk.read(path), { mode: 0o640 })
  t.match(await failureOf(root.reopen()), { code: 'untrusted', message: /targets\.key\.pem .*\(mode 640\)/ })
})

t.test('a fleet gives out its metadata and nothing else', async (t) => {
  const root = await acme()
  for (const name of [
    '../keys/ca.key.pem',
    '../ca.crt.pem',
    'root.json',
    '1.root.json/',
    '01.root.json',
    '9.root.json',
  ]) {
    t.equal(await root.fleet.file(name), undefined, name)
  }
})

t.test('a root may be called like its fleet: its certificate does not look as if it had signed itself', async (t) => {
  const disk = memoryDisk()
  const parts = { dir: home, clock: stillClock(), random: seededRandom('same'), disk }
  await initFleet({ ...parts, name: 'root', nodeName: 'root' })
  const { certificateDer } = await loadIdentity(`${home}/keys`, disk)
  const { subject, issuer } = new X509Certificate(certificateDer)
  t.equal(subject, 'CN=root')
  t.not(issuer, subject)
  t.equal((await openFleet(parts)).name, 'root')
})
