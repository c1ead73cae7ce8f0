// Several objects in one answer.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { digestsIn, framesOf, objectsPath, parseFrames } from '../../../src/model/wire/object-frames.ts'

const digests = (count: number) => Array.from({ length: count }, (_, n) => n.toString(16).padStart(64, '0'))
const found = fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constant(undefined), fc.constant('failed' as const))
const objects = fc.array(found, { minLength: 1, maxLength: 9 })

t.test('what was put in comes out, also from the middle of a larger buffer', async (t) => {
  fc.assert(
    fc.property(objects, fc.nat(5), fc.nat(3), (put, more, before) => {
      const frames = framesOf(put)
      const larger = new Uint8Array(before + frames.length + 2)
      larger.set(frames, before)
      const came = parseFrames(larger.subarray(before, before + frames.length), put.length + more)
      return came.length === put.length && came.every((bytes, n) => String(bytes) === String(put[n]))
    }),
  )
  t.pass()
})

t.test('an answer that is cut off, empty or has more than was asked for is refused', async (t) => {
  const frames = framesOf([new Uint8Array([1, 2, 3]), undefined])
  for (let length = 0; length < frames.length; length += 1) {
    // Where one object ends, an answer may end.
    if (length === 7) continue
    t.throws(() => parseFrames(frames.subarray(0, length), 2), { code: 'bad-input' }, `${length} bytes`)
  }
  t.equal(parseFrames(frames.subarray(0, 7), 2).length, 1)
  t.throws(() => parseFrames(frames, 1), { code: 'bad-input' })
  t.throws(() => parseFrames(new Uint8Array([0xff, 0xff, 0xff, 0xfd]), 1), { code: 'bad-input' })
})

t.test('a path names digests and nothing else', async (t) => {
  t.equal(objectsPath(digests(1), 9), `/v1/objects/${'0'.repeat(64)}`)
  t.match(objectsPath(digests(2), 9), /^\/v1\/objects\/0{64},0{63}1\?bytes=9$/)
  const path = (text: string) => digestsIn(`/v1/objects/${text}`)
  t.same(path(digests(3).join()), digests(3))
  t.same(path(digests(limits.objectsPerAskMax).join()), digests(limits.objectsPerAskMax))
  const bad = [
    '',
    ',',
    '../x',
    'A'.repeat(64),
    `${digests(1)},`,
    `${digests(1)}/`,
    digests(limits.objectsPerAskMax + 1).join(),
  ]
  for (const text of bad) t.equal(path(text), undefined, text.slice(0, 80))
  t.equal(digestsIn(`/v2/objects/${digests(1)}`), undefined)
})
