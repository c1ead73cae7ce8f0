// Objects from the node above, over connections that break.

import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { limits } from '../../../src/model/limits.ts'
import { type Found, framesOf } from '../../../src/model/wire/object-frames.ts'
import type { NearSibling } from '../../../src/node/parent/near-objects.ts'
import { createObjectCalls } from '../../../src/node/parent/object-calls.ts'
import type { ParentCalls } from '../../../src/node/parent/parent-calls.ts'
import { sha256Of } from '../../../src/world/objects.ts'

type Ask = ParentCalls['ask']
type Reply = Awaited<ReturnType<Ask>>

const large = new Uint8Array(Buffer.alloc(300_000, 'large'))
const small = new Uint8Array(Buffer.from('small'))
const nothing = new Uint8Array()
const [largeSha, smallSha] = [sha256Of(large), sha256Of(small)]

const waiting = () => ({ isInVain: () => false })

/** A parent whose answers are cut off after so many bytes, one after the other. */
function parentThat(answers: readonly { body: Uint8Array; cutAfter?: number; status?: number }[]) {
  const paths: string[] = []
  const ask: Ask = async ({ path, onPart }): Promise<Reply> => {
    const answer = answers[paths.push(path) - 1]
    if (answer === undefined) throw new Error('not expected')
    const { body, cutAfter, status = 200 } = answer
    onPart?.(body.subarray(0, cutAfter), status)
    if (cutAfter !== undefined) throw new Failure('timed-out', 'cut', { retry: 'later' })
    return { status, body, certificate: new Uint8Array() }
  }
  return { calls: createObjectCalls({ ask, near: { next: async () => undefined }, monotonicMs: () => 0 }), paths }
}

t.test('what came of an object that was cut off is not fetched again', async (t) => {
  const { calls, paths } = parentThat([
    { body: large, cutAfter: 100_000 },
    { body: large.subarray(100_000), cutAfter: 50_000 },
    { body: large.subarray(150_000) },
    { body: large },
  ])
  for (const _ of [1, 2]) await t.rejects(calls([largeSha], 1), { code: 'timed-out' })
  t.same(await calls([largeSha], 1), [large])
  t.same(
    paths.map((path) => path.split('?')[1]),
    [undefined, 'from=100000', 'from=150000'],
  )
  t.same(await calls([largeSha], 1), [large], 'and it begins anew once it was whole')
  t.notMatch(paths[3], /from/)
})

t.test('of several objects that were cut off those that are whole count, and the next goes on', async (t) => {
  const frames = framesOf([small, large])
  const { calls, paths } = parentThat([
    { body: frames, cutAfter: 4 + small.length + 4 + 1000 },
    { body: large.subarray(1000) },
  ])
  t.same(await calls([smallSha, largeSha], 1000), [small])
  t.same(await calls([largeSha, smallSha], 1000), [large])
  t.match(paths[1], /from=1000$/)
})

t.test('halves of two parents that do not fit are nobody’s fault, and are dropped', async (t) => {
  const { calls, paths } = parentThat([
    { body: Uint8Array.from(large).fill(1), cutAfter: 1000 },
    { body: large.subarray(1000) },
    { body: large },
  ])
  await t.rejects(calls([largeSha], 1), { code: 'timed-out' })
  await t.rejects(calls([largeSha], 1), { code: 'unreachable' })
  t.same(await calls([largeSha], 1), [large])
  t.notMatch(paths[2], /from/)
})

t.test('a parent that waits for the object itself is asked again', async (t) => {
  const { calls, paths } = parentThat([{ body: new Uint8Array(), status: 202 }, { body: large }])
  t.same(await calls([largeSha], 1), [large])
  t.equal(paths.length, 2)
})

t.test('objects come from the sibling that brings them, and from the parent if the sibling fails', async (t) => {
  let [failures, rests] = [0, false]
  const replies: { near: Uint8Array | Failure; status?: number }[] = [
    { near: large },
    { near: small },
    { near: new Failure('timed-out', 'silent', { retry: 'later' }) },
    { near: new Uint8Array(), status: 404 },
  ]
  const near: Ask = async () => {
    const { near, status = 200 } = replies.shift() ?? { near: new Failure('timed-out', 'over') }
    if (near instanceof Failure) throw near
    return { status, body: near, certificate: new Uint8Array() }
  }
  const paths: string[] = []
  const ask: Ask = async ({ path }) => {
    paths.push(path)
    return { status: 200, body: large, certificate: new Uint8Array() }
  }
  const failed = () => {
    failures += 1
    rests = true
  }
  const left = new AbortController().signal
  const sibling = { ask: near, failed, left, elsewhere: async () => {}, waiting }
  const calls = createObjectCalls({
    ask,
    monotonicMs: () => 0,
    near: { next: async () => (rests ? undefined : sibling) },
  })
  const come = async () => {
    rests = false
    return [await calls([largeSha], 1), paths.length, failures]
  }
  t.same(await come(), [[large], 0, 0])
  t.same(await come(), [[large], 1, 1], 'not what was asked for')
  t.same(await come(), [[large], 2, 2], 'no answer')
  t.same(await come(), [[large], 3, 3], 'not there')
})

t.test('a sibling is not believed for ever that an object cannot be had, or that nobody has it', async (t) => {
  const near = { answers: [] as Uint8Array[], status: 200, failures: 0 }
  const asked: string[] = []
  let nowMs = 0
  let above: 'gives' | 'refuses' | 'is gone' = 'gives'
  const sibling: NearSibling = {
    ask: async () => ({ status: near.status, body: near.answers.shift() ?? framesOf([]), certificate: nothing }),
    left: new AbortController().signal,
    elsewhere: async () => {},
    waiting,
    failed: () => {
      near.failures += 1
    },
  }
  const ask: Ask = async ({ path }) => {
    asked.push(path)
    if (above === 'refuses') throw new Failure('refused', '503', { retry: 'later' })
    if (above === 'is gone') throw new Failure('unreachable', 'gone', { retry: 'later' })
    return { status: 200, body: large, certificate: nothing }
  }
  const calls = createObjectCalls({ ask, near: { next: async () => sibling }, monotonicMs: () => nowMs })
  const come = (digests: string[], ...frames: Found[]) => {
    near.answers = [framesOf(frames)]
    return calls(digests, 1)
  }
  t.same(await come([largeSha, smallSha], 'failed', small), ['failed', small], 'for a moment it may be right')
  nowMs = limits.nearDoubtMs
  t.same(await come([largeSha, smallSha], 'failed', small), [large, small])
  t.equal(near.failures, 1, 'the parent has it')
  t.notMatch(asked[0], smallSha, 'what the sibling has does not come over the link')
  t.same(await come([smallSha, largeSha], small, 'failed'), [small], 'it is the first of the next request')
  t.same(await come([largeSha, smallSha], undefined, small), [large, small])
  t.equal(near.failures, 2)
  above = 'refuses'
  t.same(await come([largeSha, smallSha], 'failed', small), ['failed', small])
  t.same(await come([largeSha, smallSha], 'failed', 'failed'), ['failed'])
  near.status = 503
  t.same(await come([largeSha]), ['failed'])
  t.equal(near.failures, 2, 'the parent cannot have it either')
  above = 'gives'
  t.same(await come([largeSha]), [large])
  t.equal(near.failures, 3)
  near.status = 200
  above = 'is gone'
  t.same(await come([largeSha, smallSha], 'failed', small), ['failed', small])
  await t.rejects(come([largeSha, smallSha], 'failed', 'failed'), { code: 'unreachable' })
  t.equal(near.failures, 3, 'the link is down for both')
})
