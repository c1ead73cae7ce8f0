// The metainfo of a payload (BEP 3): its pieces and their hashes. The same payload has the same
// metainfo in every run.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { limits } from '../model/limits.ts'
import type { InfoHash } from '../model/names.ts'

export interface Metainfo {
  bytes: Uint8Array
  infoHash: InfoHash
  /** Bytes per piece. */
  pieceLength: number
}

/** A power of two that gives about `limits.piecesAimed` pieces, within the limits of a piece. */
export function pieceLengthFor(size: number): number {
  let length = limits.pieceMinBytes
  while (length < limits.pieceMaxBytes && size / length > limits.piecesAimed) length *= 2
  return length
}

/** Hashes the payload's pieces. Ordinary clients show the file as `name`. */
export async function metainfoFor(
  payload: { file: string; size: number },
  name: string,
  options: { onProgress: (done: number, total: number) => void; signal: AbortSignal },
): Promise<Metainfo> {
  const { default: createTorrent } = await import('create-torrent')
  const pieceLength = pieceLengthFor(payload.size)
  const input = createReadStream(payload.file, { highWaterMark: 1024 * 1024, signal: options.signal })
  const made = await new Promise<Uint8Array>((resolve, reject) => {
    const onProgress = (done: number) => options.onProgress(done, payload.size)
    // BEP 27: an ordinary client looks for peers at the trackers named here and nowhere else.
    const torrent = { name, pieceLength, private: true, announceList: [], onProgress }
    createTorrent(input, torrent, (error, bytes) => (error === null ? resolve(bytes) : reject(error)))
  })
  const info = infoOf(made)
  const bytes = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])
  return { bytes, infoHash: createHash('sha1').update(info).digest('hex'), pieceLength }
}

/**
 * The info dictionary alone: create-torrent writes the time of day beside it, which differs in
 * every run.
 */
function infoOf(metainfo: Uint8Array): Uint8Array {
  const prefix = /^d13:creation datei\d+e8:encoding5:UTF-84:info/.exec(Buffer.from(metainfo).toString('latin1', 0, 80))
  assert(prefix !== null, 'create-torrent writes another form than the one this was made for')
  return metainfo.subarray(prefix[0].length, -1)
}
