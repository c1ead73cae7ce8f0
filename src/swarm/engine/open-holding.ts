// Opens one holding in the engine: its file first, then what lies in it, then its torrent. What it
// does from then on is in running-holding.ts.

import type WebTorrent from 'webtorrent'
import { messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { allBits, bitsFor, piecesOf, withBits } from '../holdings/bits.ts'
import { pieceDigestsOf } from '../metainfo.ts'
import { findPieces, type Prepared, preparePayload } from './payload/payload-files.ts'
import type { PieceMemory } from './payload/piece-memory.ts'
import { openPayloadFile, type PayloadFile } from './payload/piece-store.ts'
import { type OpenHolding, RunningHolding, type RunningParts } from './running-holding.ts'
import { loadTorrent } from './torrent.ts'

export interface HoldingParts extends RunningParts {
  client: WebTorrent
  memory: PieceMemory
}

/**
 * Undefined if the whole payload should be there and is not. Throws what the disk throws. Reports
 * `lost`, `stored`, `opened` and, for a whole payload that is not on record, `completed`.
 */
export async function openHolding(parts: HoldingParts): Promise<OpenHolding | undefined> {
  const { opening, report } = parts
  const { infoHash } = opening
  const prepared = await preparePayload(opening)
  if (prepared.kind === 'gone') {
    report({ kind: 'lost', infoHash })
    return undefined
  }
  const broken = reportOnce(parts)
  const file = openFile(parts, prepared.fd, broken)
  try {
    const isWhole = prepared.kind === 'whole'
    const bits = isWhole ? allBits(piecesOf(opening)) : await bitsOf(prepared, parts, file)
    const torrent = await loadTorrent(parts.client, { metainfo: opening.metainfo, bits, store: file })
    report({ kind: 'opened', infoHash })
    if (isWhole && opening.state === 'incoming') report({ kind: 'completed', infoHash })
    return new RunningHolding(parts, { torrent, file, isChecked: isWhole, broken })
  } catch (error) {
    await new Promise((resolve) => file.close(resolve))
    throw error
  }
}

/** The holding cannot go on, whatever fails after the first failure. */
function reportOnce({ opening, report, onBroken }: HoldingParts): (error: Error) => void {
  let isBroken = false
  return (error) => {
    if (isBroken) return
    isBroken = true
    report({ kind: 'failed', infoHash: opening.infoHash, because: messageOf(error) })
    onBroken()
  }
}

function openFile({ opening, memory, clock, report }: HoldingParts, fd: number, onError: (error: Error) => void) {
  const { infoHash, pieceLength, size } = opening
  return openPayloadFile({
    ...{ fd, pieceLength, size, clock, onError },
    memory: memory.of(Math.min(pieceLength, limits.pieceSpanBytes)),
    onDurable: (pieces) => report({ kind: 'stored', infoHash, pieces }),
  })
}

/**
 * The pieces that are here: those on record, and those that an engine has written and not recorded.
 */
async function bitsOf(
  { existed, lost }: Extract<Prepared, { kind: 'part' }>,
  { opening, report }: HoldingParts,
  file: PayloadFile,
): Promise<Uint8Array> {
  if (lost) report({ kind: 'lost', infoHash: opening.infoHash })
  const bits = lost ? bitsFor(piecesOf(opening)) : opening.bits
  const isUnknown = opening.bits.every((byte) => byte === 0)
  if (!existed || !(opening.look || isUnknown)) return bits
  const found = await findPieces({ opening, bits, digests: pieceDigestsOf(opening.metainfo), read: file.read })
  file.found(found)
  await file.settle()
  return withBits(bits, found)
}
