// Checks that a metainfo file (BEP 3) is the one that the manifest names, and reads from it what
// the swarm needs.

import { createHash } from 'node:crypto'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { SwarmPayload } from '../model/manifest.ts'
import { type Bencoded, parseBencoded } from './bencode.ts'
import { piecesOf } from './holdings/bits.ts'

/**
 * Returns a metainfo file that holds the info dictionary only. A metainfo file can also name
 * trackers, web seeds and peers; those never reach the engine. Throws `too-large`, `bad-input` for
 * anything but a single-file metainfo, and `digest-mismatch` if the payload names another metainfo.
 */
export function checkedMetainfo(metainfo: Uint8Array, payload: SwarmPayload): Uint8Array {
  const where = `metainfo of ${payload.infoHash}`
  if (metainfo.length > limits.metainfoMaxBytes) throw new Failure('too-large', `${where} has ${metainfo.length} bytes`)
  const info = dictionaryAt(dictionary(parseBencoded(metainfo, where)), 'info')
  const bytes = metainfo.subarray(info.from, info.to)
  const infoHash = createHash('sha1').update(bytes).digest('hex')
  const length = integerAt(info, 'length')
  const pieceLength = integerAt(info, 'piece length')
  if (infoHash !== payload.infoHash || length !== payload.size || pieceLength !== payload.pieceLength) {
    throw new Failure(
      'digest-mismatch',
      `${where} has info hash ${infoHash}, length ${length}, pieces of ${pieceLength}; ` +
        `the manifest says ${payload.infoHash}, ${payload.size}, ${payload.pieceLength}`,
    )
  }
  const pieces = bytesAt(info, 'pieces')
  if (pieceLength === 0 || pieces.length !== 20 * piecesOf(payload)) {
    throw new Failure('bad-input', `${where} does not have one digest for each piece`)
  }
  return Buffer.concat([Buffer.from('d4:info'), bytes, Buffer.from('e')])
}

/** The SHA-1 digests of all pieces, 20 bytes each, from a checked metainfo. */
export function pieceDigestsOf(metainfo: Uint8Array): Uint8Array {
  return bytesAt(dictionaryAt(dictionary(parseBencoded(metainfo, 'metainfo')), 'info'), 'pieces')
}

type Dictionary = Extract<Bencoded, { kind: 'dictionary' }>

function dictionary(value: Bencoded | undefined): Dictionary {
  if (value?.kind !== 'dictionary') throw new Failure('bad-input', 'metainfo: expected a dictionary')
  return value
}

function dictionaryAt(parent: Dictionary, key: string): Dictionary {
  return dictionary(parent.entries.get(key))
}

function integerAt(parent: Dictionary, key: string): number {
  const value = parent.entries.get(key)
  if (value?.kind !== 'integer') throw new Failure('bad-input', `metainfo: expected an integer under ${key}`)
  return value.value
}

function bytesAt(parent: Dictionary, key: string): Uint8Array {
  const value = parent.entries.get(key)
  if (value?.kind !== 'bytes') throw new Failure('bad-input', `metainfo: expected bytes under ${key}`)
  return value.value
}
