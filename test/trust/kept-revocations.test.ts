// Which revocations a fleet keeps in mind, when there are too many.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { keptOf } from '../../src/trust/admission/kept-revocations.ts'
import { type Revocation, revocationOf } from '../../src/trust/admission/revocation-statements.ts'
import { openRevocations } from '../../src/trust/admission/revocations.ts'
import { openFleet } from '../../src/trust/fleet.ts'
import { privateKeyFromPem } from '../../src/trust/keys.ts'
import { type Acme, acme, dayMs, failureOf, home, start } from './acme.ts'
import { join, newKey, renewal, tokenOf } from './joining.ts'
import { memoryDisk } from './memory-disk.ts'

const keyIdOf = (n: number) => n.toString(16).padStart(64, '0')

async function authorityOf({ disk }: Acme) {
  const key = await disk.read(`${home}/fleet/keys/ca.key.pem`)
  return privateKeyFromPem(Buffer.from(key).toString(), 'ca')
}

/** Unsigned, for what is not about signatures. */
function statement(n: number, { node = `n${n}`, at = n, replaced = false }): Revocation {
  return { node, keyId: keyIdOf(n), at, ...(replaced && { replaced: true as const }), sig: `${'A'.repeat(86)}==` }
}

function many(count: number, from: number, options: { node?: string; replaced?: boolean; at?: number }): Revocation[] {
  return Array.from({ length: count }, (_, n) => statement(from + n, options))
}

t.test('replaced keys never push out a revocation', async (t) => {
  const revoked = many(limits.revocationsKept, 0, { at: 1 })
  const replaced = many(3 * limits.replacementsKept, 10_000, { replaced: true, at: 9 })
  const kept = new Set(keptOf([...revoked, ...replaced]).map(({ keyId }) => keyId))
  t.equal(revoked.filter(({ keyId }) => kept.has(keyId)).length, limits.revocationsKept)
  t.equal(kept.size, limits.revocationsKept + limits.replacementsKept)
})

t.test('a node that changes its key again and again pushes out its own former keys', async (t) => {
  const others = many(limits.replacementsKept - 3, 0, { replaced: true, at: 1 })
  const one = many(2_000, 10_000, { node: 'restless', replaced: true, at: 9 })
  const kept = keptOf([...others, ...one])
  t.equal(kept.filter(({ node }) => node !== 'restless').length, others.length, 'none of the others')
  t.equal(kept.filter(({ node }) => node === 'restless').length, 3)
})

t.test('nodes that have heard the same keep the same, in whatever order', async (t) => {
  const statements = fc.uniqueArray(
    fc
      .record({ n: fc.nat(60), node: fc.nat(4), at: fc.nat(5), replaced: fc.boolean() })
      .map((each) => statement(each.n, { ...each, node: `n${each.node}` })),
    { maxLength: 60, selector: ({ keyId, at, replaced }) => `${keyId} ${at} ${replaced}` },
  )
  const filler = fc.constantFrom(0, limits.replacementsKept - 10)
  fc.assert(
    fc.property(statements, fc.nat(60), filler, (all, cut, full) => {
      const rest = many(full, 1_000, { replaced: true, at: 3 })
      const [one, other] = [[...rest, ...all.slice(0, cut)], all.slice(cut)]
      const parts = keptOf([...keptOf(other), ...keptOf(one)])
      t.same(new Set(parts.map(keyOf)), new Set(keptOf([...one, ...other]).map(keyOf)))
    }),
    { numRuns: 60 },
  )
})

const keyOf = ({ keyId, at, replaced }: Revocation) => `${keyId} ${at} ${replaced}`

t.test('a key that was replaced can be revoked as well, and that is kept', async (t) => {
  const root = await acme()
  const authority = await authorityOf(root)
  const of = { node: 'n1', keyId: keyIdOf(1) }
  const [replaced, revoked] = [
    revocationOf({ ...of, at: 9, replaced: true }, authority),
    revocationOf({ ...of, at: 5 }, authority),
  ]
  const disk = memoryDisk()
  await disk.makeFolder('/n')
  const ca = Buffer.from(await root.disk.read(`${home}/fleet/ca.crt.pem`)).toString()
  const node = await openRevocations({ file: '/n/revoked.json', ca, disk })
  await node.add([replaced])
  const before = node.digest()
  t.equal((await node.add([revoked])).length, 1)
  t.not(node.digest(), before, 'so that others hear of it')
  t.same(await node.add([replaced]), [], 'and not the other way round')
  const { replaced: _, ...changed } = replaced
  t.equal((await failureOf(node.add([{ ...changed, at: 99 }]))).code, 'untrusted', 'which of the two is signed')
})

t.test('many-use tokens do not let a node push out whom a person has revoked', async (t) => {
  const root = await acme()
  const thief = await join(root.fleet, { token: await tokenOf(root), name: 'thief' })
  await root.fleet.revoke('thief')
  const authority = await authorityOf(root)
  // As if keys had been changed all day.
  const changes = Array.from({ length: limits.revocationsKept + limits.replacementsKept - 1 }, (_, n) =>
    revocationOf({ node: `n${n % 50}`, keyId: keyIdOf(n), at: start + 1 + n, replaced: true }, authority),
  )
  await root.fleet.revocations.add(changes)
  const token = await tokenOf(root, undefined, 5)
  let node = await join(root.fleet, { token, name: 'restless' })
  for (const key of ['a', 'b', 'c']) {
    root.clock.at += 10_000
    node = await join(root.fleet, { token, name: 'restless', key, former: node })
  }
  t.ok(root.fleet.revocations.has(thief.keyId))
  t.equal((await failureOf(root.fleet.enrol(renewal(thief, root.clock.at)))).code, 'refused')
})

t.test('a revocation that the fleet cannot keep is refused with a way out', async (t) => {
  const root = await acme()
  const lost = await join(root.fleet, { token: await tokenOf(root), name: 'lost' })
  const authority = await authorityOf(root)
  const revoked = Array.from({ length: limits.revocationsKept }, (_, n) =>
    revocationOf({ node: `n${n}`, keyId: keyIdOf(n), at: start + n }, authority),
  )
  await root.fleet.revocations.add(revoked)
  const full = await failureOf(root.fleet.revoke('lost'))
  t.match(full, { code: 'too-large', hint: /room from 2026-07.* token create --replaces/ })
  t.ok(await root.fleet.enrol(renewal(lost, root.clock.at)), 'nothing has changed')
  await join(root.fleet, { token: await tokenOf(root, 'lost'), name: 'lost', key: 'another' })
  t.ok(root.fleet.revocations.has(lost.keyId), 'the way out')
  root.clock.at = start + limits.revocationNeededMs + 1
  await root.fleet.revoke('lost')
  t.equal(root.fleet.revocations.all().filter(({ node }) => node === 'lost').length, 2)
  t.notOk(root.fleet.revocations.has(keyIdOf(0)), 'the oldest gave way, and its certificate has ended')
})

t.test('who is revoked again, long after, is turned away again', async (t) => {
  const root = await acme()
  const n1 = await join(root.fleet, { token: await tokenOf(root), name: 'n1' })
  await root.fleet.revoke('n1')
  root.clock.at += limits.revocationNeededMs + dayMs
  const authority = await authorityOf(root)
  const newer = Array.from({ length: limits.revocationsKept }, (_, n) =>
    revocationOf({ node: `n${n}`, keyId: keyIdOf(n), at: start + dayMs }, authority),
  )
  await root.fleet.revocations.add(newer)
  t.notOk(root.fleet.revocations.has(n1.keyId), 'pushed out')
  await root.fleet.revoke('n1')
  t.ok(root.fleet.revocations.has(n1.keyId))
})

t.test('a root writes down what others tell of revoked nodes, for statements may be pushed out', async (t) => {
  const root = await acme()
  const thief = await join(root.fleet, { token: await tokenOf(root), name: 'thief' })
  const copy = { ...root, disk: root.disk.copy() }
  await root.fleet.revoke('thief')
  const restored = await openFleet({ dir: home, clock: root.clock, random: root.random, disk: copy.disk })
  await restored.revocations.add(root.fleet.revocations.all())
  const authority = await authorityOf(root)
  const newer = Array.from({ length: limits.revocationsKept }, (_, n) =>
    revocationOf({ node: `n${n}`, keyId: keyIdOf(n), at: start + dayMs }, authority),
  )
  await restored.revocations.add(newer)
  t.notOk(restored.revocations.has(thief.keyId))
  t.equal((await failureOf(restored.enrol(renewal(thief, root.clock.at)))).code, 'refused')
})

t.test('statements of a foreign authority are none', async (t) => {
  const root = await acme()
  const foreign = revocationOf({ node: 'n', keyId: 'b'.repeat(64), at: 1 }, newKey('ca'))
  t.equal((await failureOf(root.fleet.revocations.add([foreign]))).code, 'untrusted')
})
