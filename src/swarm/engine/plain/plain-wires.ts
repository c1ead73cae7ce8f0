// The ordinary clients of one whole holding. They are sent pieces and nothing is taken from them:
// no wire here ever requests anything, and a block that comes in unasked ends its wire.

import { createHash } from 'node:crypto'
import type { PieceStore } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { InfoHash, NodeName } from '../../../model/names.ts'
import type { Clock, Timer } from '../../../world/world.ts'
import { allBits } from '../../holdings/bits.ts'
import { answerRequests } from '../giving.ts'
import type { Lane, Meter } from '../meter.ts'
import type { PlainCaller } from './plain-door.ts'

export interface PlainWires {
  take(caller: PlainCaller): void
  size(): number
  /** Bytes of blocks sent since it was last called. */
  given(): number
  ratesChanged(): void
  dropAll(): void
}

interface PlainWiresParts {
  infoHash: InfoHash
  pieces: number
  /** In bytes. */
  lengthOf: (piece: number) => number
  self: NodeName
  store: PieceStore
  meter: Meter
  clock: Pick<Clock, 'after'>
  isBackground: () => boolean
  /** `size` has changed. */
  onChange: () => void
}

export function createPlainWires(parts: PlainWiresParts): PlainWires {
  const { meter } = parts
  const callers = new Map<PlainCaller, Lane>()
  let given = 0

  const chokeOrNot = ({ wire }: PlainCaller, lane: Lane) => {
    if (meter.isOpen(lane)) wire.unchoke()
    else wire.choke()
  }
  const take = (caller: PlainCaller) => {
    const { wire } = caller
    const lane: Lane = { isBackground: parts.isBackground, isElsewhere: () => caller.isElsewhere }
    callers.set(caller, lane)
    caller.onClose(() => {
      callers.delete(caller)
      parts.onChange()
    })
    const hangUpIfWhole = watchPieces(caller, parts.pieces)
    wire.on('piece', caller.hangUp)
    wire.on('upload', (bytes: number) => {
      given += bytes
    })
    answerRequests({
      ...{ wire, clock: parts.clock, store: parts.store, meter, lane, lengthOf: parts.lengthOf },
      has: () => true,
      onSent: caller.onSent,
      onAbuse: caller.hangUp,
    })
    hangUpIfIdle(caller, parts.clock)
    parts.onChange()
    greet(caller, parts)
    chokeOrNot(caller, lane)
    hangUpIfWhole()
  }
  return {
    take,
    size: () => callers.size,
    given: () => {
      const bytes = given
      given = 0
      return bytes
    },
    ratesChanged: () => {
      for (const [caller, lane] of callers) chokeOrNot(caller, lane)
    },
    dropAll: () => {
      for (const caller of [...callers.keys()]) caller.hangUp()
    },
  }
}

/**
 * A client that has all pieces needs nothing more from here, and is hung up on. Returns what looks
 * whether it has. A client may say that it has a piece as often as it likes, so no piece is looked
 * at twice.
 */
function watchPieces({ wire, hangUp }: PlainCaller, pieces: number): () => void {
  /** The client has every piece below it. */
  let lowest = 0
  const hangUpIfWhole = () => {
    while (lowest < pieces && wire.peerPieces.get(lowest)) lowest += 1
    if (lowest === pieces) hangUp()
  }
  wire.on('bitfield', () => {
    lowest = 0
    hangUpIfWhole()
  })
  wire.on('have-all', hangUp)
  wire.on('have', hangUpIfWhole)
  return hangUpIfWhole
}

function hangUpIfIdle({ wire, hangUp, onClose }: PlainCaller, clock: Pick<Clock, 'after'>): void {
  let timer: Timer | undefined
  const wait = () => {
    timer?.cancel()
    timer = clock.after(limits.plainIdleMs, hangUp)
  }
  onClose(() => timer?.cancel())
  wire.on('request', wait)
  wait()
}

/** The handshake, and that all pieces are here. */
function greet({ wire }: PlainCaller, { infoHash, self, pieces }: PlainWiresParts): void {
  wire.handshake(infoHash, peerIdOf(self), { fast: true })
  if (wire.hasFast) wire.haveAll()
  else wire.bitfield(allBits(pieces))
}

/** BEP 20: twenty bytes, here as hex, of which the first tell the program. */
function peerIdOf(node: NodeName): string {
  const rest = createHash('sha1').update(node).digest('hex').slice(0, 12)
  return Buffer.from(`-BN0001-${rest}`, 'latin1').toString('hex')
}
