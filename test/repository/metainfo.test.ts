// The metainfo of a payload.

import { createHash } from 'node:crypto'
import fs from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { metainfoFor, pieceLengthFor } from '../../src/repository/metainfo.ts'
import { textOf } from './workbench.ts'

const { pieceMinBytes, pieceMaxBytes, piecesAimed, payloadMaxBytes, objectMaxBytes } = limits
const quiet = { onProgress: () => {}, signal: new AbortController().signal }

t.test('a piece is a power of two within its limits, and never shorter for a larger payload', async () => {
  const size = fc.oneof(
    fc.integer({ min: 1, max: payloadMaxBytes }),
    fc.integer({ min: 8, max: 35 }).chain((bits) => fc.integer({ min: -2, max: 2 }).map((off) => 2 ** bits + off)),
  )
  fc.assert(
    fc.property(size, size, (a, b) => {
      const [smaller, larger] = a < b ? [a, b] : [b, a]
      const length = pieceLengthFor(smaller)
      return (
        Number.isInteger(Math.log2(length)) &&
        length >= pieceMinBytes &&
        length <= pieceMaxBytes &&
        length <= pieceLengthFor(larger)
      )
    }),
  )
})

t.test('there are about as many pieces as aimed for, where the limits allow it', async () => {
  const size = fc.integer({ min: pieceMinBytes * piecesAimed, max: pieceMaxBytes * piecesAimed })
  fc.assert(
    fc.property(size, (size) => {
      const pieces = Math.ceil(size / pieceLengthFor(size))
      return pieces <= piecesAimed && pieces >= Math.floor(piecesAimed / 2)
    }),
  )
})

t.test('the metainfo of the largest payload fits into an object', async (t) => {
  t.ok((payloadMaxBytes / pieceLengthFor(payloadMaxBytes)) * 20 + 500 < objectMaxBytes)
})

t.test('it is exactly what BEP 3 says, and nothing more', async (t) => {
  const content = Buffer.from(textOf(3 * pieceMinBytes + 12_345))
  const file = `${t.testdir({})}/payload`
  fs.writeFileSync(file, content)
  const { bytes, infoHash, pieceLength } = await metainfoFor({ file, size: content.length }, 'a_1_all.tar', quiet)
  t.equal(pieceLength, pieceMinBytes)
  const sha1 = (data: Uint8Array) => createHash('sha1').update(data).digest()
  const hashes = [0, 1, 2, 3].map((index) => sha1(content.subarray(index * pieceLength, (index + 1) * pieceLength)))
  const info = Buffer.concat([
    Buffer.from(`d6:lengthi${content.length}e4:name11:a_1_all.tar12:piece lengthi${pieceLength}e6:pieces80:`),
    ...hashes,
    Buffer.from('7:privatei1ee'),
  ])
  t.ok(info.equals(Buffer.from(bytes).subarray('d4:info'.length, -1)))
  t.equal(Buffer.from(bytes).toString('latin1', 0, 7), 'd4:info')
  t.equal(infoHash, sha1(info).toString('hex'))
})

t.test('a file that cannot be read ends in an error, and so does a stop', async (t) => {
  const file = `${t.testdir({})}/payload`
  await t.rejects(metainfoFor({ file, size: 1 }, 'a', quiet), { code: 'ENOENT' })
  fs.writeFileSync(file, textOf(pieceMinBytes))
  await t.rejects(metainfoFor({ file, size: pieceMinBytes }, 'a', { ...quiet, signal: AbortSignal.abort() }), {
    name: 'AbortError',
  })
})
