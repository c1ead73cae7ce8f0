// A root that was restored from a copy, and nodes that have another key than the copy says.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { acceptRenewal } from '../../src/trust/enrolment.ts'
import { type Fleet, openFleet } from '../../src/trust/fleet.ts'
import type { NodeIdentity } from '../../src/trust/identity.ts'
import { type Acme, acme, failureOf, home } from './acme.ts'
import { join, renewal, tokenOf } from './joining.ts'
import type { MemoryDisk } from './memory-disk.ts'

const hourMs = 3600_000

interface Stage {
  root: Acme
  copy: MemoryDisk
  /** The key that the copy knows. */
  former: NodeIdentity
}

/** `n1` and `other` joined; then the copy was made. */
async function stage(others = ['other']): Promise<Stage> {
  const root = await acme()
  const former = await join(root.fleet, { token: await tokenOf(root), name: 'n1' })
  for (const name of others) await join(root.fleet, { token: await tokenOf(root), name })
  const copy = root.disk.copy()
  root.clock.at += hourMs
  return { root, copy, former }
}

async function restoredFrom({ root, copy }: Stage, others = ['other', 'n1']): Promise<Fleet> {
  root.clock.at += hourMs
  const restored = await openFleet({ dir: home, clock: root.clock, random: root.random, disk: copy })
  for (const name of others) restored.versionHeard(name, 9)
  await restored.recover()
  root.clock.at += limits.revokedVoicesWaitMs
  return restored
}

const joinAgain = async ({ root, former }: Stage): Promise<NodeIdentity> =>
  await join(root.fleet, { token: await tokenOf(root), name: 'n1', key: 'new', former })

t.test('a node that joined again since the copy is entered with its new key', async (t) => {
  for (const way of ['join --again', 'token --replaces'] as const) {
    const each = await stage()
    const { root, former } = each
    const replacing = { token: await tokenOf(root, 'n1'), name: 'n1', key: 'new' }
    const again = way === 'join --again' ? await joinAgain(each) : await join(root.fleet, replacing)
    const restored = await restoredFrom(each)
    const renewed = () => restored.enrol(renewal(again, root.clock.at))
    t.match(await failureOf(renewed()), { code: 'refused', retry: 'later' }, `${way}: nobody has told yet`)
    await restored.revocations.add(root.fleet.revocations.all())
    restored.revokedHeard('other', restored.revocations.digest())
    t.ok(acceptRenewal(await renewed(), again), way)
    t.equal((await failureOf(restored.enrol(renewal(former, root.clock.at)))).code, 'refused', 'not the former key')
    t.ok(await renewed(), 'and so it stays')
  }
})

t.test('so is the only node of a fleet', async (t) => {
  const each = await stage([])
  const again = await joinAgain(each)
  const restored = await restoredFrom(each, ['n1'])
  await restored.revocations.add(each.root.fleet.revocations.all())
  t.ok(await restored.enrol(renewal(again, each.root.clock.at)))
})

t.test('while nobody has turned the key of the copy away, it has the name', async (t) => {
  const each = await stage()
  const again = await joinAgain(each)
  const restored = await restoredFrom(each)
  restored.revokedHeard('other', restored.revocations.digest())
  t.match(await failureOf(restored.enrol(renewal(again, each.root.clock.at))), { code: 'refused', retry: 'never' })
  t.ok(await restored.enrol(renewal(each.former, each.root.clock.at)))
})

t.test('a key from before that of the copy is not entered', async (t) => {
  const each = await stage()
  const second = await joinAgain(each)
  each.root.clock.at += hourMs
  const copied = { ...each, copy: each.root.disk.copy() }
  const restored = await restoredFrom(copied)
  // As if all had forgotten the first key.
  const all = [...each.root.fleet.revocations.all()]
  t.equal(all.length, 1)
  for (const file of ['revoked.json', 'revoked.copy.json']) copied.copy.entries.delete(`${home}/${file}`)
  const forgetful = await openFleet({
    ...{ dir: home, clock: each.root.clock, random: each.root.random, disk: copied.copy },
  })
  each.root.clock.at += limits.revokedVoicesWaitMs
  forgetful.revokedHeard('other', '')
  t.equal((await failureOf(forgetful.enrol(renewal(each.former, each.root.clock.at)))).code, 'refused')
  t.ok(forgetful.revocations.has(each.former.keyId), 'and is turned away again')
  t.notOk(forgetful.revocations.has(second.keyId))
  t.ok(restored)
})

t.test('a node that was revoked since the copy is not entered, with whatever key', async (t) => {
  const each = await stage()
  const again = await joinAgain(each)
  await each.root.fleet.revoke('n1')
  const restored = await restoredFrom(each)
  await restored.revocations.add(each.root.fleet.revocations.all())
  restored.revokedHeard('other', restored.revocations.digest())
  for (const key of [again, each.former]) {
    t.equal((await failureOf(restored.enrol(renewal(key, each.root.clock.at)))).code, 'refused')
  }
})

t.test('an accomplice that calls first does not have a revoked node entered', async (t) => {
  const root = await acme()
  for (const name of ['accomplice', 'honest']) await join(root.fleet, { token: await tokenOf(root), name })
  const copy = root.disk.copy()
  const thief = await join(root.fleet, { token: await tokenOf(root), name: 'thief' })
  await root.fleet.revoke('thief')
  const restored = await openFleet({ dir: home, clock: root.clock, random: root.random, disk: copy })
  for (const name of ['accomplice', 'honest']) restored.versionHeard(name, 9)
  await restored.recover()
  const entered = () => restored.enrol(renewal(thief, root.clock.at))
  restored.revokedHeard('accomplice', '')
  t.match(await failureOf(entered()), { code: 'refused', retry: 'later' }, 'the others have not had their turn')
  root.clock.at += limits.revokedVoicesWaitMs
  restored.revokedHeard('accomplice', '')
  restored.revokedHeard('honest', root.fleet.revocations.digest())
  t.match(await failureOf(entered()), { code: 'refused', retry: 'later' }, 'one of two is not more than half')
  await restored.revocations.add(root.fleet.revocations.all())
  t.match(await failureOf(entered()), { code: 'refused', retry: 'never' })
})

t.test('what a restored root hears late holds for whom it has entered', async (t) => {
  const root = await acme()
  await join(root.fleet, { token: await tokenOf(root), name: 'accomplice' })
  const copy = root.disk.copy()
  const thief = await join(root.fleet, { token: await tokenOf(root), name: 'thief' })
  await root.fleet.revoke('thief')
  const restored = await openFleet({ dir: home, clock: root.clock, random: root.random, disk: copy })
  restored.versionHeard('accomplice', 9)
  await restored.recover()
  root.clock.at += limits.revokedVoicesWaitMs
  restored.revokedHeard('accomplice', '')
  t.ok(await restored.enrol(renewal(thief, root.clock.at)), 'nobody else is there to say')
  await restored.revocations.add(root.fleet.revocations.all())
  t.equal((await failureOf(restored.enrol(renewal(thief, root.clock.at)))).code, 'refused')
})

t.test('revoke at a restored root turns away the key that the node has now', async (t) => {
  const each = await stage()
  const again = await joinAgain(each)
  for (const seen of [again.keyId, undefined]) {
    const restored = await restoredFrom({ ...each, copy: each.copy.copy() })
    await restored.revocations.add(each.root.fleet.revocations.all())
    restored.revokedHeard('other', restored.revocations.digest())
    await restored.revoke('n1', seen)
    t.equal((await failureOf(restored.enrol(renewal(again, each.root.clock.at)))).code, 'refused')
    t.ok(restored.revocations.has(again.keyId), seen ? 'its reports tell the key' : 'its next call tells the key')
  }
})

t.test('at a root that was not restored another key of a name stays out', async (t) => {
  const each = await stage()
  const again = await joinAgain(each)
  const unrecovered = await openFleet({
    ...{ dir: home, clock: each.root.clock, random: each.root.random, disk: each.copy },
  })
  await unrecovered.revocations.add(each.root.fleet.revocations.all())
  unrecovered.revokedHeard('other', unrecovered.revocations.digest())
  t.equal((await failureOf(unrecovered.enrol(renewal(again, each.root.clock.at)))).code, 'refused')
})
