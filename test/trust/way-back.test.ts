// How a machine that was a node comes back: with another key, after a reinstallation, at a root that was
// restored from a copy.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Revocation } from '../../src/trust/admission/revocation-statements.ts'
import { openRevocations, revokedFileIn } from '../../src/trust/admission/revocations.ts'
import { acceptRenewal, requestEnrolment } from '../../src/trust/enrolment.ts'
import { openFleet } from '../../src/trust/fleet.ts'
import type { NodeIdentity } from '../../src/trust/identity.ts'
import { acme, dayMs, failureOf, home, start } from './acme.ts'
import { join, newKey, renewal, tokenOf } from './joining.ts'
import { memoryDisk } from './memory-disk.ts'

t.test('a node may have a new key for its name, and the former one is turned away', async (t) => {
  const root = await acme()
  const former = await join(root.fleet, { token: await tokenOf(root), name: 'n1' })
  root.clock.at += limits.certificateLifetimeMs + dayMs
  const token = await tokenOf(root)
  const thief = join(root.fleet, { token, name: 'n1', key: 'thief' })
  t.match(await failureOf(thief), { code: 'already-exists', hint: /another --name.*token create --replaces n1/ })
  const again = await join(root.fleet, { token, name: 'n1', key: 'new', former })
  t.equal(again.name, 'n1')
  t.not(again.keyId, former.keyId)
  t.equal((await join(root.fleet, { token, name: 'n1', key: 'new', former })).keyId, again.keyId, 'a lost reply')
  t.ok(root.fleet.revocations.has(former.keyId))
  t.match(await failureOf(root.fleet.enrol(renewal(former, root.clock.at))), { code: 'refused', hint: /join --again/ })
  t.ok(acceptRenewal(await root.fleet.enrol(renewal(again, root.clock.at)), again))
  const back = join(root.fleet, { token: await tokenOf(root), name: 'n1', key: 'n1' })
  t.equal((await failureOf(back)).code, 'already-exists', 'the former key has no name')
})

t.test('a former key vouches for its own name and for one request', async (t) => {
  const root = await acme()
  const [n1, n2] = [
    await join(root.fleet, { token: await tokenOf(root), name: 'n1' }),
    await join(root.fleet, { token: await tokenOf(root), name: 'n2' }),
  ]
  const token = await tokenOf(root)
  const other = join(root.fleet, { token, name: 'n1', key: 'new', former: n2 })
  t.equal((await failureOf(other)).code, 'already-exists')
  const request = await requestEnrolment(token, 'n1', newKey('new'), n1)
  const another = await requestEnrolment(token, 'n1', newKey('relay'))
  const { former } = request as { former?: object }
  t.equal((await failureOf(root.fleet.enrol({ ...another, former }))).code, 'untrusted')
  await root.fleet.revoke('n1')
  const revoked = join(root.fleet, { token, name: 'n1', key: 'new', former: n1 })
  t.match(await failureOf(revoked), { code: 'refused', hint: /token create --replaces n1/ })
})

t.test('a token that replaces a node gives its name to whoever joins with it, once', async (t) => {
  const root = await acme()
  const former = await join(root.fleet, { token: await tokenOf(root), name: 'n1' })
  t.match(await failureOf(tokenOf(root, 'n9')), { code: 'not-found', hint: /banyan nodes/ })
  t.match(await failureOf(tokenOf(root, 'n1', 2)), { code: 'bad-input', message: /for one machine/ })
  const token = await tokenOf(root, 'n1')
  t.equal(token.replaces, 'n1')
  const wrong = join(root.fleet, { token, name: 'n2' })
  t.match(await failureOf(wrong), { code: 'refused', message: /for the name n1, and not for n2/ })
  t.ok(await root.fleet.enrol(renewal(former, root.clock.at)), 'the token alone changes nothing')
  const again = await join(root.fleet, { token, name: 'n1', key: 'reinstalled' })
  t.equal((await failureOf(root.fleet.enrol(renewal(former, root.clock.at)))).code, 'refused')
  const second = join(root.fleet, { token, name: 'n1', key: 'second' })
  t.match(await failureOf(second), { code: 'refused', message: /used up/, hint: /token create/ })
  await root.fleet.revoke('n1')
  const revoked = join(root.fleet, { token: await tokenOf(root), name: 'n1', key: 'third', former: again })
  t.equal((await failureOf(revoked)).code, 'refused')
  const free = await join(root.fleet, { token: await tokenOf(root, 'n1'), name: 'n1', key: 'third' })
  t.equal(free.name, 'n1', 'the name of a revoked node too')
  t.ok(await root.fleet.enrol(renewal(free, root.clock.at)))
})

t.test('statements gather, whoever brings them, and only those of the authority', async (t) => {
  const [root, foreign] = [await acme(), await acme({ name: 'other' })]
  for (const name of ['n1', 'n2', 'n3']) {
    await join(root.fleet, { token: await tokenOf(root), name })
    await root.fleet.revoke(name)
  }
  const known = root.fleet.revocations
  t.equal(known.all().length, 3)
  const disk = memoryDisk()
  await disk.makeFolder('/n')
  const ca = await root.disk.read(`${home}/fleet/ca.crt.pem`)
  const open = () => openRevocations({ file: revokedFileIn('/n'), ca: Buffer.from(ca).toString(), disk })
  const node = await open()
  t.equal(node.digest(), '')
  const [first, ...others] = known.all() as [Revocation, ...Revocation[]]
  await node.add([first])
  t.not(node.digest(), known.digest())
  t.equal((await node.add([...others, first])).length, 2)
  t.equal(node.digest(), known.digest())
  t.equal((await open()).digest(), known.digest(), 'after a restart too')
  t.equal((await node.add(known.all())).length, 0)
  await join(foreign.fleet, { token: await tokenOf(foreign), name: 'n1', key: 'foreign' })
  await foreign.fleet.revoke('n1')
  const forged: Revocation[] = [...foreign.fleet.revocations.all(), { ...first, keyId: 'a'.repeat(64) }]
  for (const statement of forged) t.equal((await failureOf(node.add([statement]))).code, 'untrusted')
  t.equal(node.digest(), known.digest())
})

t.test('a restored root enters nobody again whom the fleet has turned away since the copy', async (t) => {
  const root = await acme()
  await join(root.fleet, { token: await tokenOf(root), name: 'old' })
  const copy = root.disk.copy()
  const [thief, honest] = [
    await join(root.fleet, { token: await tokenOf(root), name: 'thief' }),
    await join(root.fleet, { token: await tokenOf(root), name: 'honest' }),
  ]
  await root.fleet.revoke('thief')
  const restored = await openFleet({ dir: home, clock: root.clock, random: root.random, disk: copy })
  for (const name of ['old', 'thief', 'honest']) restored.versionHeard(name, 9)
  await restored.recover()
  t.equal(restored.revocations.digest(), '', 'the copy does not know it')
  const entered = (identity: NodeIdentity) => restored.enrol(renewal(identity, start))
  t.match(await failureOf(entered(thief)), { code: 'refused', retry: 'later', message: /have not said yet/ })
  root.clock.at += limits.revokedVoicesWaitMs
  restored.revokedHeard('thief', '')
  t.match(await failureOf(entered(thief)), { retry: 'later' }, 'the one that asks has no voice')
  restored.revokedHeard('old', root.fleet.revocations.digest())
  t.match(await failureOf(entered(thief)), { retry: 'later' }, 'a child knows more than this root')
  await restored.revocations.add(root.fleet.revocations.all())
  t.match(await failureOf(entered(thief)), { code: 'refused', message: /no node of this fleet any more/ })
  root.clock.at += limits.clockVoiceMs + 1
  restored.revokedHeard('old', restored.revocations.digest())
  t.ok(acceptRenewal(await entered(honest), honest), 'who was turned away has no voice for long')
})
