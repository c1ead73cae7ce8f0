// Metainfo files: what is taken from them and what is refused.

import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { type Bencoded, parseBencoded } from '../../src/swarm/bencode.ts'
import { checkedMetainfo, pieceDigestsOf } from '../../src/swarm/metainfo.ts'
import { payloadFrom } from './kit.ts'

const payload = payloadFrom('meta', { size: 1000, pieceLength: 300 })
const { spec } = payload

t.test('of a metainfo file only the info dictionary goes on', async (t) => {
  const checked = checkedMetainfo(spec.metainfo, spec.payload)
  t.notOk(Buffer.from(checked).includes('announce'))
  t.notOk(Buffer.from(checked).includes('nowhere'))
  t.same(checkedMetainfo(checked, spec.payload), checked)
  const first = createHash('sha1').update(payload.bytes.subarray(0, 300)).digest()
  t.ok(first.equals(pieceDigestsOf(checked).subarray(0, 20)))
  t.equal(pieceDigestsOf(checked).length, 80)
})

t.test('a metainfo of something else is refused', async (t) => {
  const differs: Partial<typeof spec.payload>[] = [{ infoHash: '0'.repeat(40) }, { size: 999 }, { pieceLength: 301 }]
  for (const difference of differs) {
    t.throws(() => checkedMetainfo(spec.metainfo, { ...spec.payload, ...difference }), { code: 'digest-mismatch' })
  }
})

t.test('a metainfo that does not fit itself is refused', async (t) => {
  check(t, 'too few digests', 'd6:lengthi1000e12:piece lengthi300e6:pieces20:aaaaaaaaaaaaaaaaaaaae', 'bad-input')
  check(t, 'pieces of nothing', 'd6:lengthi0e12:piece lengthi0e6:pieces0:e', 'bad-input', { size: 0, pieceLength: 0 })
  check(t, 'many files', 'd5:filesle12:piece lengthi300e6:pieces0:e', 'bad-input')
  check(t, 'a length that is text', 'd6:length4:1000e', 'bad-input')
  const huge = new Uint8Array(limits.metainfoMaxBytes + 1)
  t.throws(() => checkedMetainfo(huge, spec.payload), { code: 'too-large' })
})

t.test('what is bencoded is read back, and every prefix of it is refused', async () => {
  const values: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.maxSafeInteger().map((number) => `i${number}e`),
      fc.string().map((text) => `${Buffer.byteLength(text)}:${text}`),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `l${items.join('')}e`),
      fc
        .uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', 'c') }), { maxLength: 3 })
        .chain((keys) => fc.tuple(fc.constant(keys.sort()), fc.array(tie('value'), { minLength: 3, maxLength: 3 })))
        .map(([keys, items]) => `d${keys.map((key, i) => `${key.length}:${key}${items[i]}`).join('')}e`),
    ),
  })).value
  fc.assert(
    fc.property(values, (text) => {
      const bytes = Buffer.from(text)
      if (written(parseBencoded(bytes, 'it')) !== bytes.toString('latin1')) return false
      return [...bytes.keys()].every((end) => isRefused(bytes.subarray(0, end)))
    }),
  )
})

t.test('bencoding that nobody writes is refused', async (t) => {
  for (const text of [
    '',
    'i01e',
    'i-0e',
    'ie',
    'i1',
    '01:a',
    '2:a',
    'd1:b0:1:a0:e',
    'd1:a0:1:a0:e',
    'di1e0:e',
    '1:ab',
    'x',
  ]) {
    t.ok(isRefused(Buffer.from(text)), text)
  }
  t.ok(isRefused(Buffer.from('l'.repeat(100_000))), 'nesting is bounded')
})

function check(
  t: Test,
  what: string,
  info: string,
  code: string,
  payloadParts: Partial<typeof spec.payload> = {},
): void {
  const infoHash = createHash('sha1').update(info).digest('hex')
  const metainfo = Buffer.from(`d4:info${info}e`)
  t.throws(() => checkedMetainfo(metainfo, { ...spec.payload, infoHash, ...payloadParts }), { code }, what)
}

function isRefused(bytes: Uint8Array): boolean {
  try {
    parseBencoded(bytes, 'it')
    return false
  } catch (error) {
    if (error instanceof Failure) return error.code === 'bad-input'
    throw error
  }
}

function written(value: Bencoded): string {
  if (value.kind === 'integer') return `i${value.value}e`
  if (value.kind === 'bytes') return `${value.value.length}:${Buffer.from(value.value).toString('latin1')}`
  if (value.kind === 'list') return `l${value.items.map(written).join('')}e`
  return `d${[...value.entries].map(([key, item]) => `${key.length}:${key}${written(item)}`).join('')}e`
}
