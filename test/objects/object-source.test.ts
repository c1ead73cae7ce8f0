// Small objects come from the node's folder, else from its parent: each once, and many in one
// request.

import { createHash } from 'node:crypto'
import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import type { Found } from '../../src/model/wire/object-frames.ts'
import type { Uplink } from '../../src/node/parent/uplink.ts'
import { createObjectSource } from '../../src/objects/object-source.ts'
import type { Objects } from '../../src/world/objects.ts'
import { createSimulation } from '../world/simulation.ts'

type Answer = (digests: readonly string[], bytes: number) => Promise<Found[]>

const bytesOf = (text: string) => new TextEncoder().encode(text)
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const manifest = bytesOf('a manifest')
const digest = digestOf(manifest)

/** Many objects, and the answer of a parent that has all of them and ignores sizes. */
function manyObjects(count: number, size = 10) {
  const all = new Map(
    Array.from({ length: count }, (_, n) => {
      const bytes = new Uint8Array(size).fill(n)
      bytes.set([n % 256, n >> 8])
      return [digestOf(bytes), bytes] as const
    }),
  )
  return { all, digests: [...all.keys()], answer: (async (asked) => asked.map((each) => all.get(each))) as Answer }
}

/** An object source below a parent that answers with `answer`, and records of both. */
function parentWith(answer: Answer, isNamed = true) {
  const { world } = createSimulation({ seed: 'objects' }).node({ address: '10.0.0.1' })
  const kept = new Map<string, Uint8Array>()
  const attacks: string[] = []
  const asked: (readonly string[])[] = []
  const learned: string[] = []
  let turned = 0
  const objects: Objects = {
    get: async (sha256) => kept.get(sha256),
    put: async (bytes) => {
      kept.set(digestOf(bytes), bytes)
      return digestOf(bytes)
    },
    putAll: async (all) => {
      for (const [sha256, bytes] of all) kept.set(sha256, bytes)
    },
    has: async (sha256) => kept.has(sha256),
    list: async () => [...kept.keys()],
    remove: async (sha256) => void kept.delete(sha256),
  }
  const uplink: Pick<Uplink, 'objects' | 'brings' | 'parent' | 'turnAway'> = {
    brings: () => new AbortController().signal,
    objects: (digests, bytes) => {
      asked.push(digests)
      return answer(digests, bytes)
    },
    parent: () => ({ node: 'berlin', address: '127.0.0.1' }),
    turnAway: () => {
      turned += 1
    },
  }
  const source = createObjectSource({
    ...{ clock: world.clock, log: world.log, objects, uplink },
    folder: '/objects',
    named: {
      has: () => isNamed,
      isManifest: () => false,
      namedBy: () => undefined,
      learn: (sha256) => learned.push(sha256),
    },
    onAttack: ({ kind }) => attacks.push(kind),
  })
  return { source, kept, attacks, asked, learned, turned: () => turned }
}

t.test('a hundred callers at once cost one request, and later ones none', async (t) => {
  const parent = parentWith(async () => [manifest])
  const answers = await Promise.all(Array.from({ length: 100 }, () => parent.source.need(digest, 'object')))
  t.ok(answers.every((bytes) => bytes === manifest))
  await parent.source.need(digest, 'object')
  t.equal(parent.asked.length, 1)
  t.equal((await parent.source.paths())(digest), `/objects/${digest}`)
  t.equal((await parent.source.paths())('0'.repeat(64)), undefined)
})

t.test('bytes with another digest are refused, named as an attack and not kept', async (t) => {
  const parent = parentWith(async () => [bytesOf('a forged manifest')])
  await t.rejects(parent.source.need(digest, 'object'), { code: 'digest-mismatch', message: /from berlin/ })
  t.strictSame(parent.attacks, ['object-forged'])
  t.equal(parent.turned(), 1, 'and the next parent is asked for a while')
  t.equal(parent.kept.size, 0)
})

t.test('what the trusted revision does not lead to is passed on and not kept', async (t) => {
  const parent = parentWith(async () => [manifest], false)
  t.equal(await parent.source.need(digest, 'object'), manifest)
  t.equal(parent.kept.size, 0)
})

t.test('what nobody has is absent to some and a reason to try again to others', async (t) => {
  const parent = parentWith(async () => [undefined])
  t.same(await parent.source.firstOf([digest], 1), [undefined])
  await t.rejects(parent.source.need(digest, 'manifest'), { code: 'not-found', retry: 'later' })
})

t.test('a failed request is not remembered', async (t) => {
  let works = false
  const parent = parentWith(async () => {
    if (works) return [manifest]
    throw new Failure('unreachable', 'gone', { retry: 'later' })
  })
  await t.rejects(parent.source.need(digest, 'object'), { code: 'unreachable' })
  works = true
  t.equal(await parent.source.need(digest, 'object'), manifest)
})

t.test('many are asked for in few questions, a few of them at a time', async (t) => {
  const { digests, answer } = manyObjects(1_000)
  let [underway, most] = [0, 0]
  const parent = parentWith(async (asked, bytes) => {
    underway += 1
    most = Math.max(most, underway)
    await new Promise(setImmediate)
    underway -= 1
    return answer(asked, bytes)
  })
  const came = await Promise.all(digests.map((each) => parent.source.need(each, 'payload')))
  t.same(came.map(digestOf), digests)
  t.same(parent.asked.flat().sort(), [...digests].sort(), 'each once')
  t.ok(parent.asked.length <= 1_000 / 20, `${parent.asked.length} questions`)
  t.ok(parent.asked.every((each) => each.length <= limits.objectsPerAskMax))
  t.equal(most, limits.objectAsksAtOnce)
  t.equal(parent.kept.size, 1_000)
})

t.test('of known sizes no more is asked for at once than one answer should bring', async (t) => {
  const size = 60_000
  const { digests, answer } = manyObjects(100, size)
  const parent = parentWith(answer)
  await Promise.all(digests.map((each) => parent.source.need(each, 'payload', { bytes: size })))
  t.equal(parent.asked[0]?.length, Math.floor(limits.objectsFirstAnswerBytes / size))
  t.ok(parent.asked.every((each) => each.length * size <= limits.objectsAnswerBytes))
})

t.test('what did not fit into an answer is asked for again', async (t) => {
  const { digests, answer } = manyObjects(50)
  const parent = parentWith(async (asked, bytes) => (await answer(asked, bytes)).slice(0, 3))
  const came = await Promise.all(digests.map((each) => parent.source.need(each, 'object')))
  t.same(came.map(digestOf), digests)
})

t.test('of several one that is forged and one that is absent spoil no other', async (t) => {
  const { digests, all } = manyObjects(5)
  const [forged, absent] = digests as [string, string]
  const parent = parentWith(async (asked) =>
    asked.map((each) => (each === absent ? undefined : each === forged ? bytesOf('x') : all.get(each))),
  )
  const came = await Promise.allSettled(digests.map((each) => parent.source.need(each, 'object')))
  t.match(came[0], { status: 'rejected', reason: { code: 'digest-mismatch' } })
  t.match(came[1], { status: 'rejected', reason: { code: 'not-found' } })
  t.ok(came.slice(2).every((each) => each.status === 'fulfilled' && each.value !== undefined))
  t.equal(parent.kept.size, 3)
})

t.test('a disk that is full is told to whoever waits', async (t) => {
  const parent = parentWith(async () => [manifest])
  const full = { ...parent, kept: parent.kept }
  full.kept.set = () => {
    throw new Failure('no-space', 'full', { retry: 'later' })
  }
  await t.rejects(parent.source.need(digest, 'object'), { code: 'no-space' })
})

t.test('a child gets the first of what it asks for, as much as it asks for', async (t) => {
  const { digests, answer, all } = manyObjects(20)
  const parent = parentWith(answer)
  t.same(await parent.source.firstOf(digests.slice(0, 8), 1_000), [...all.values()].slice(0, 8), 'from above')
  t.same(parent.asked.flat().sort(), digests.slice(0, 8).sort(), 'each once')
  const before = parent.asked.length
  t.equal((await parent.source.firstOf(digests.slice(0, 8), 25)).length, 2, 'of 10 bytes each')
  t.equal((await parent.source.firstOf(digests.slice(0, 8), 0)).length, 1, 'one at least')
  t.equal(parent.asked.length, before, 'and what is here is not asked for')
})

t.test('what a child waits for is not behind all that its parent wants itself', async (t) => {
  const { digests, answer } = manyObjects(2_000)
  const parent = parentWith(async (asked, bytes) => {
    await new Promise(setImmediate)
    return answer(asked, bytes)
  })
  const own = digests.slice(0, 1_900).map((each) => parent.source.need(each, 'object'))
  await parent.source.firstOf(digests.slice(1_950), 1_000)
  t.ok(parent.asked.length < 10, `after ${parent.asked.length} questions`)
  await Promise.all(own)
})

t.test('one that is late does not keep the others from a child, and one that fails does not either', async (t) => {
  for (const how of ['late', 'failed']) {
    const simulation = createSimulation({ seed: how })
    const { world } = simulation.node({ address: '10.0.0.1' })
    const { digests, all } = manyObjects(3)
    const source = createObjectSource({
      ...{ clock: world.clock, log: world.log, folder: '/objects' },
      objects: {
        get: async (sha256) => (sha256 === digests[2] ? undefined : all.get(sha256)),
        put: async () => digest,
        putAll: async () => {},
        has: async (sha256) => sha256 !== digests[2],
        list: async () => [],
        remove: async () => {},
      },
      uplink: {
        objects: () =>
          how === 'late'
            ? new Promise(() => {})
            : Promise.reject(new Failure('unreachable', 'gone', { retry: 'later' })),
        brings: () => undefined,
        parent: () => null,
        turnAway: () => {},
      },
      named: { has: () => true, isManifest: () => false, namedBy: () => undefined, learn: () => {} },
      onAttack: () => {},
    })
    const came = await simulation.until(source.firstOf(digests, 1_000))
    t.same(came.slice(0, 2), [...all.values()].slice(0, 2), how)
    t.same(came.slice(2), how === 'late' ? [] : ['failed'])
  }
})

t.test('one that cannot be had keeps no other from a child, and none at all is told as what went wrong', async (t) => {
  const { digests, all } = manyObjects(4)
  const [first, ...others] = digests as [string, ...string[]]
  const parent = parentWith(async (asked) => asked.map((each) => (each === first ? 'failed' : all.get(each))))
  const came = await parent.source.firstOf(digests, 1_000)
  t.same(came, ['failed', ...others.map((each) => all.get(each))])
  await t.rejects(parent.source.firstOf([first], 1_000), { code: 'unreachable', retry: 'later' })
  await t.rejects(parent.source.need(first, 'manifest'), { code: 'unreachable', retry: 'later' })
})

t.test('a file that cannot be read keeps no other from a child', async (t) => {
  const parent = parentWith(async (asked) => asked.map(() => undefined))
  parent.kept.set(digest, manifest)
  parent.kept.get = (sha256) => {
    if (sha256 !== digest) throw new Failure('disk', 'input/output error')
    return manifest
  }
  t.same(await parent.source.firstOf(['0'.repeat(64), digest], 1_000), ['failed', manifest])
})

t.test('what leads to payloads is not behind thousands of them', async (t) => {
  const { digests, answer } = manyObjects(1_000, 2_000)
  const parent = parentWith(async (asked, bytes) => {
    await new Promise(setImmediate)
    return answer(asked, bytes)
  })
  const payloads = digests.slice(1).map((each) => parent.source.need(each, 'payload', { bytes: 2_000 }))
  await new Promise(setImmediate)
  await parent.source.need(digests[0] as string, 'revision')
  t.ok(parent.asked.length <= 3 * limits.objectAsksAtOnce, `after ${parent.asked.length} calls`)
  await Promise.all(payloads)
})

t.test('what would not be kept is not fetched before a child comes to it', async (t) => {
  const { digests, answer } = manyObjects(10)
  const parent = parentWith(answer, false)
  t.equal((await parent.source.firstOf(digests, 15)).length, 1)
  t.same(parent.asked.flat(), digests.slice(0, 2), 'the one that did not fit was the last')
})

t.test('on a link that is slow even for the smallest answers only one is under way', async (t) => {
  const simulation = createSimulation({ seed: 'slow' })
  const { world } = simulation.node({ address: '10.0.0.1' })
  const { digests, answer } = manyObjects(60, 5_000)
  let [underway, most, calls] = [0, 0, 0]
  const source = createObjectSource({
    ...{ clock: world.clock, log: world.log, folder: '/objects' },
    objects: {
      get: async () => undefined,
      put: async () => digest,
      putAll: async () => {},
      has: async () => false,
      list: async () => [],
      remove: async () => {},
    },
    uplink: {
      objects: async (asked, bytes) => {
        calls += 1
        underway += 1
        if (calls > 30) most = Math.max(most, underway)
        await new Promise<void>((resolve) => world.clock.after(limits.objectsSlowMs * 2, resolve))
        underway -= 1
        return (await answer(asked, bytes)).slice(0, 1)
      },
      brings: () => undefined,
      parent: () => null,
      turnAway: () => {},
    },
    named: { has: () => true, isManifest: () => false, namedBy: () => undefined, learn: () => {} },
    onAttack: () => {},
  })
  await simulation.until(Promise.all(digests.map((each) => source.need(each, 'payload', { bytes: 5_000 }))))
  t.equal(most, 1)
})

t.test('what is still in memory teaches what it names too: an earlier revision may be in force again', async (t) => {
  const parent = parentWith(async () => [manifest])
  await parent.source.need(digest, 'manifest')
  await parent.source.need(digest, 'manifest')
  await parent.source.firstOf([digest], 1_000)
  t.same(parent.learned, [digest, digest, digest])
  t.equal(parent.asked.length, 1)
})
