// What a node takes from its parent, and what it refuses.

import fc from 'fast-check'
import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import {
  type RoleKeys,
  rolloutsFile,
  rootFile,
  snapshotFile,
  targetsFile,
  timestampFile,
} from '../../src/trust/metadata-signing.ts'
import { attackOf, openTrust, verifyOffline } from '../../src/trust/trust-store.ts'
import {
  type Acme,
  acme,
  dayMs,
  keysOfThief,
  type Lies,
  nodeDir,
  nodeOf,
  parentOf,
  publishRevision,
  recordingOf,
  refuses,
  revision,
  start,
} from './acme.ts'

const forged = { code: 'untrusted', attack: 'metadata-forged' } as const

/** A fleet with one revision, a node that trusts it, and a second revision that the node has not seen. */
async function nodeBehind(): Promise<{ root: Acme; node: Awaited<ReturnType<typeof nodeOf>>; old: Lies }> {
  const root = await acme()
  await publishRevision(root.fleet, revision(1))
  const node = await nodeOf(root)
  await node.trust.refresh(parentOf(root.fleet))
  const old = await recordingOf(root.fleet)
  await publishRevision(root.fleet, revision(2))
  return { root, node, old }
}

/** A whole state of metadata with these versions, signed by these keys. */
function stateBy(keys: RoleKeys, version: number, now = start): Record<string, Uint8Array> {
  const writing = { version, now, keys }
  const targets = targetsFile({ ...writing, revision: { sha256: 'ab'.repeat(32), size: 7 } })
  const rollouts = rolloutsFile({ ...writing, rollouts: { sha256: 'cd'.repeat(32), size: 7 } })
  const snapshot = snapshotFile(writing, { targets, rollouts })
  const timestamp = timestampFile(writing, { snapshot, lifetimeMs: dayMs })
  return {
    'timestamp.json': timestamp.bytes,
    [`${version}.snapshot.json`]: snapshot.bytes,
    [`${version}.targets.json`]: targets.bytes,
    [`${version}.rollouts.json`]: rollouts.bytes,
  }
}

function edited(bytes: unknown, from: string | RegExp, to: string): Uint8Array {
  const text = new TextDecoder().decode(bytes as Uint8Array)
  if (text.replace(from, to) === text) throw new Error(`${from} is not in ${text}`)
  return new TextEncoder().encode(text.replace(from, to))
}

t.test('a node takes what its fleet published, and gives it to its children byte for byte', async (t) => {
  const root = await acme()
  await publishRevision(root.fleet, revision(1))
  const node = await nodeOf(root)
  t.equal(node.trust.current(), undefined)
  const state = await node.trust.refresh(parentOf(root.fleet))
  t.match(state, { rootVersion: 1, timestampVersion: 2, signedAt: start, expires: start + limits.timestampLifetimeMs })
  t.equal(state.revision?.size, revision(1).byteLength)
  t.equal(state.rollouts?.size, 2)
  t.same(node.trust.current(), state)
  t.same((await node.reopen()).current(), state, 'also after a restart')
  t.same(await verifyOffline(nodeDir, node.disk), state, 'also for the process that applies')

  const names = ['1.root.json', 'timestamp.json', '2.snapshot.json', '2.targets.json', '1.rollouts.json']
  for (const name of names) t.same(await node.trust.file(name), await root.fleet.file(name), name)
  for (const name of ['2.root.json', 'floors.json', '../keys/node.key.pem', '']) {
    t.equal(await node.trust.file(name), undefined, name)
  }
  const child = await nodeOf(root)
  t.same(await child.trust.refresh((file) => node.trust.file(file)), state)
})

t.test('a refresh without news costs two requests and writes nothing', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  await node.trust.refresh(parentOf(root.fleet))
  const before = node.disk.picture()
  for (const trust of [node.trust, await node.reopen()]) {
    const parent = parentOf(root.fleet)
    await trust.refresh(parent)
    t.same(parent.asked, ['2.root.json', 'timestamp.json'])
    t.same(node.disk.picture(), before)
  }
})

t.test('a child that read an earlier timestamp still gets what that one names', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  const publish = async (...numbers: number[]) => {
    for (const number of numbers) {
      await publishRevision(root.fleet, revision(number))
      await node.trust.refresh(parentOf(root.fleet))
    }
  }
  await publish(1, 2, 3)
  t.same(await node.trust.file('3.targets.json'), await root.fleet.file('3.targets.json'))
  await publish(4, 5, 6)
  t.equal(await node.trust.file('3.targets.json'), undefined, 'but not for ever')
  const folders = [...node.disk.entries.keys()].filter((path) => /^\/node\/tuf\/\d+$/.test(path))
  t.equal(folders.length, 1, 'and one state is kept on disk')
})

t.test('refreshes asked for at once happen one after the other', async (t) => {
  const root = await acme()
  const node = await nodeOf(root)
  const parent = parentOf(root.fleet)
  const [first, , third] = await Promise.all([1, 2, 3].map(() => node.trust.refresh(parent)))
  const unchanged = ['2.root.json', 'timestamp.json']
  t.same(parent.asked, [
    ...unchanged,
    '1.snapshot.json',
    '1.targets.json',
    '1.rollouts.json',
    ...unchanged,
    ...unchanged,
  ])
  t.same(third, first)
})

t.test('a link that is cut is no attack, and leaves everything as it was', async (t) => {
  const { root, node } = await nodeBehind()
  for (const name of ['2.root.json', 'timestamp.json', '3.snapshot.json', '3.targets.json']) {
    const cut = async (file: string) => {
      if (file === name) throw new Failure('timed-out', 'no answer for 30000 ms', { retry: 'later' })
      return await root.fleet.file(file)
    }
    await refuses(t, node, cut, { code: 'timed-out', message: /30000 ms/ })
  }
})

t.test('a parent that withholds a file is out of reach', async (t) => {
  const { root, node } = await nodeBehind()
  for (const name of ['timestamp.json', '3.snapshot.json', '3.targets.json']) {
    const parent = parentOf(root.fleet, { [name]: undefined })
    await refuses(t, node, parent, { code: 'unreachable', message: new RegExp(name) })
  }
  t.equal((await node.trust.refresh(parentOf(root.fleet))).timestampVersion, 3, 'and an honest one is still taken')
})

t.test('a node refuses a revision whose digest was edited', async (t) => {
  const { root, node } = await nodeBehind()
  const honest = await root.fleet.file('3.targets.json')
  const parent = parentOf(root.fleet, { '3.targets.json': edited(honest, /[0-9a-f]{64}","?/, `${'0'.repeat(64)}"`) })
  await refuses(t, node, parent, { ...forged, message: /3\.targets\.json: Expected (hash|length)/ })
})

t.test('a node refuses to go back to older metadata', async (t) => {
  const { root, node, old } = await nodeBehind()
  await node.trust.refresh(parentOf(root.fleet))
  await refuses(t, node, parentOf(root.fleet, old), {
    code: 'rolled-back',
    attack: 'rolled-back',
    message: /version 2 is less than current version 3/,
  })
})

t.test('a parent that holds back news is believed until the timestamp ends, and no longer', async (t) => {
  const { root, node, old } = await nodeBehind()
  root.clock.at += limits.timestampLifetimeMs - 1000
  t.equal((await node.trust.refresh(parentOf(root.fleet, old))).timestampVersion, 2)
  root.clock.at += 1000
  const frozen = {
    code: 'expired',
    attack: 'frozen',
    message: /timestamp\.json ended at 2026-05-02T00:00:00Z/,
  } as const
  await refuses(t, node, parentOf(root.fleet, old), frozen)
  t.equal(node.trust.current()?.timestampVersion, 2, 'what it trusts stays known: an island goes on with it')
})

t.test('a node refuses files of one state within another', async (t) => {
  const { root, node, old } = await nodeBehind()
  const mix = (name: string, instead: string) => parentOf(root.fleet, { [name]: old[instead] })
  await refuses(t, node, mix('3.snapshot.json', '2.snapshot.json'), forged)
  await refuses(t, node, mix('3.targets.json', '2.targets.json'), forged)
  const resigned = timestampFile(
    { version: 9, now: start, keys: await root.keys() },
    { snapshot: { version: 2, bytes: old['2.snapshot.json'] as Uint8Array }, lifetimeMs: dayMs },
  )
  await node.trust.refresh(parentOf(root.fleet))
  await refuses(t, node, parentOf(root.fleet, { ...old, 'timestamp.json': resigned.bytes }), {
    code: 'rolled-back',
    attack: 'rolled-back',
    message: /New snapshot version 2 is less than current version 3/,
  })
})

t.test('a node refuses signatures of strangers', async (t) => {
  const { root, node } = await nodeBehind()
  const thief = keysOfThief()
  await refuses(t, node, parentOf(root.fleet, stateBy(thief, 7)), { ...forged, message: /signed by 0\/1 keys/ })
  const ids = (await root.fleet.file('timestamp.json')) as Uint8Array
  const [, keyId = ''] = /"keyid":"([0-9a-f]{64})"/.exec(new TextDecoder().decode(ids)) ?? []
  const named = edited(stateBy(thief, 7)['timestamp.json'], /"keyid":"[0-9a-f]{64}"/, `"keyid":"${keyId}"`)
  await refuses(t, node, parentOf(root.fleet, { 'timestamp.json': named }), forged)
  const extended = edited(ids, '2026-05-02', '2036-05-02')
  await refuses(t, node, parentOf(root.fleet, { 'timestamp.json': extended }), forged)
})

t.test('a thief of all keys of the root server but one cannot release software', async (t) => {
  const { root, node } = await nodeBehind()
  const keys = { ...(await root.keys()), targets: keysOfThief().targets }
  await refuses(t, node, parentOf(root.fleet, stateBy(keys, 7)), {
    ...forged,
    message: /7\.targets\.json: targets was signed by 0\/1/,
  })

  // The key of the rollouts signs for nothing but the rollouts.
  const own = await root.keys()
  const writing = { version: 7, now: start, keys: own }
  const targets = targetsFile({ ...writing, revision: null })
  const rollouts = targetsFile({
    ...writing,
    keys: { ...own, targets: own.rollouts },
    revision: { sha256: 'ab'.repeat(32), size: 7 },
  })
  const snapshot = snapshotFile(writing, { targets, rollouts })
  const state = await node.trust.refresh(
    parentOf(root.fleet, {
      'timestamp.json': timestampFile(writing, { snapshot, lifetimeMs: dayMs }).bytes,
      '7.snapshot.json': snapshot.bytes,
      '7.targets.json': targets.bytes,
      '7.rollouts.json': rollouts.bytes,
    }),
  )
  t.equal(state.revision, null)
})

t.test('a thief of the snapshot key cannot bring an old release back', async (t) => {
  const { root, node, old } = await nodeBehind()
  await node.trust.refresh(parentOf(root.fleet))
  const writing = { version: 9, now: start, keys: await root.keys() }
  const file = (version: number, name: string) => ({ version, bytes: old[name] as Uint8Array })
  const snapshot = snapshotFile(writing, { targets: file(2, '2.targets.json'), rollouts: file(1, '1.rollouts.json') })
  const timestamp = timestampFile(writing, { snapshot, lifetimeMs: dayMs })
  const lies = { ...old, 'timestamp.json': timestamp.bytes, '9.snapshot.json': snapshot.bytes }
  await refuses(t, node, parentOf(root.fleet, lies), {
    code: 'rolled-back',
    attack: 'rolled-back',
    message: /New version 2 of targets\.json is less than current version 3/,
  })
})

t.test('a node refuses a root that the one before did not sign', async (t) => {
  const { root, node } = await nodeBehind()
  const rogue = rootFile({ version: 2, now: start, keys: keysOfThief() })
  await refuses(t, node, parentOf(root.fleet, { '2.root.json': rogue.bytes }), {
    ...forged,
    message: /2\.root\.json: root was signed by 0\/1 keys/,
  })
})

t.test('the owners replace keys, and old keys are worth nothing from then on', async (t) => {
  const { root, node } = await nodeBehind()
  const [first, second, third] = [await root.keys(), keysOfThief('second'), keysOfThief('third')]
  const roots = {
    '2.root.json': rootFile({ version: 2, now: start, keys: second, signedBy: [first.root] }).bytes,
    '3.root.json': rootFile({ version: 3, now: start, keys: third, signedBy: [second.root] }).bytes,
  }
  const fresh = { ...roots, ...stateBy(third, 8) }
  await refuses(t, node, parentOf(root.fleet, { ...fresh, '2.root.json': undefined }), forged)
  await refuses(t, node, parentOf(root.fleet, { ...fresh, '2.root.json': roots['3.root.json'] }), forged)
  await refuses(t, node, parentOf(root.fleet, { ...fresh, ...stateBy(first, 9) }), forged)

  const state = await node.trust.refresh(parentOf(root.fleet, fresh))
  t.match(state, { rootVersion: 3, timestampVersion: 8 })
  t.same((await node.reopen()).current(), state, 'also after a restart')
  const child = await nodeOf(root)
  t.same(await child.trust.refresh((file) => node.trust.file(file)), state, 'a child walks the same way')
  await refuses(t, node, parentOf(root.fleet, { ...roots, ...stateBy(first, 9) }), forged)
})

t.test('a thief of the timestamp key who signs version 2^53 in the year 3000 loses with the key', async (t) => {
  const { root, node } = await nodeBehind()
  const keys = await root.keys()
  const year3000 = Date.UTC(3000, 0)
  const honest = await recordingOf(root.fleet)
  const snapshot = { version: 3, bytes: honest['3.snapshot.json'] as Uint8Array }
  const lie = timestampFile(
    { version: Number.MAX_SAFE_INTEGER, now: year3000, keys },
    { snapshot, lifetimeMs: 10 * 365 * dayMs },
  )
  // Targets that end in a year cannot go with a time in a thousand.
  await refuses(t, node, parentOf(root.fleet, { 'timestamp.json': lie.bytes }), { ...forged, message: /signed at/ })

  const later = timestampFile(
    { version: Number.MAX_SAFE_INTEGER, now: start + 300 * dayMs, keys },
    { snapshot, lifetimeMs: dayMs },
  )
  await node.trust.refresh(parentOf(root.fleet, { 'timestamp.json': later.bytes }))
  await refuses(t, node, parentOf(root.fleet), { code: 'rolled-back', attack: 'rolled-back' })

  const next = { ...keys, timestamp: keysOfThief().timestamp }
  const rotated = rootFile({ version: 2, now: start, keys: next })
  const timestamp = timestampFile({ version: 5, now: start, keys: next }, { snapshot, lifetimeMs: dayMs })
  const parent = parentOf(root.fleet, { '2.root.json': rotated.bytes, 'timestamp.json': timestamp.bytes })
  const state = await node.trust.refresh(parent)
  t.match(state, { rootVersion: 2, timestampVersion: 5, signedAt: start })
})

t.test('a node refuses whatever is no metadata', async (t) => {
  const { root, node } = await nodeBehind()
  const honest = new TextDecoder().decode(await root.fleet.file('timestamp.json'))
  const bodies: Record<string, string> = {
    empty: '',
    html: '<!doctype html><title>Sign in to the network</title>',
    null: 'null',
    'empty object': '{}',
    list: '[]',
    'signed null': '{"signed":null,"signatures":[]}',
    deep: '['.repeat(5_000) + ']'.repeat(5_000),
    'deep below signed': honest.replace('"signed":{', `"signed":{"deep":${'['.repeat(5_000)}${']'.repeat(5_000)},`),
    prototype: '{"__proto__":{"signed":{}},"signatures":[]}',
    'prototype inside': honest.replace('"signed":{', '"signed":{"__proto__":{"version":9},'),
    'version below 0': honest.replace('"version":3', '"version":-3'),
    'version between': honest.replace('"version":3', '"version":3.5'),
    'version text': honest.replace('"version":3', '"version":"3"'),
    'no end': honest.replace(/"expires":"[^"]*"/, '"expires":"never"'),
    'not UTF-8': '\ud800',
    'cut off': honest.slice(0, -20),
  }
  for (const [name, body] of Object.entries(bodies)) {
    for (const file of ['2.root.json', 'timestamp.json', '3.snapshot.json', '3.targets.json']) {
      await t.test(`${name} as ${file}`, (t) => refuses(t, node, parentOf(root.fleet, { [file]: body }), forged))
    }
  }
  t.equal((await node.trust.refresh(parentOf(root.fleet))).timestampVersion, 3)
})

t.test('a signed version that is none is refused too', async (t) => {
  const { root, node } = await nodeBehind()
  const keys = await root.keys()
  const bytes = (await root.fleet.file('3.snapshot.json')) as Uint8Array
  const offered = (version: number, snapshotVersion: number) => {
    const snapshot = { version: snapshotVersion, bytes }
    const timestamp = timestampFile({ version, now: start, keys }, { snapshot, lifetimeMs: dayMs })
    return parentOf(root.fleet, { 'timestamp.json': timestamp.bytes })
  }
  await refuses(t, node, offered(2 ** 60, 3), forged)
  await refuses(t, node, offered(4, 2 ** 60), { ...forged, message: /a file named 115\d+\.snapshot\.json/ })
})

t.test('a node reads no file beyond its limit', async (t) => {
  const { root, node } = await nodeBehind()
  const sized = (name: string, size: number) => parentOf(root.fleet, { [name]: new Uint8Array(size) })
  await refuses(t, node, sized('timestamp.json', 16_385), { code: 'too-large' })
  await refuses(t, node, sized('2.root.json', 512_001), { code: 'too-large' })
  await refuses(t, node, sized('3.targets.json', 10_000), { ...forged, message: /larger than the \d+ bytes that were/ })
})

t.test('a bit that flips anywhere is refused, or changes nothing that is trusted', async (t) => {
  const { root, node } = await nodeBehind()
  const honest = await recordingOf(root.fleet)
  const pristine = node.disk.copy()
  const expected = await node.trust.refresh(parentOf(root.fleet))
  const names = ['timestamp.json', '3.snapshot.json', '3.targets.json']
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(7), async (name, place, bit) => {
      const bytes = Uint8Array.from(honest[name] as Uint8Array)
      bytes[place % bytes.length] = (bytes[place % bytes.length] as number) ^ (1 << bit)
      const disk = pristine.copy()
      const trust = await openTrust({ dir: nodeDir, clock: root.clock, disk, log: { warn() {} } })
      try {
        t.same(await trust.refresh(parentOf(root.fleet, { [name]: bytes })), expected)
      } catch (error) {
        if (attackOf(error) === undefined) throw error
        t.same(disk.picture(), pristine.picture())
      }
    }),
    { numRuns: 60 },
  )
})
