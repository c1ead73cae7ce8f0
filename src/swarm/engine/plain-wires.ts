// Ordinary clients at one whole holding. They are given pieces and nothing is taken from them: no wire here ever asks for
// anything, and what comes in unasked ends it.

import { createHash } from 'node:crypto'
import type { PieceStore } from 'webtorrent'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Clock, Timer } from '../../world/world.ts'
import { allBits } from '../holdings/bits.ts'
import { answerRequests } from './giving.ts'
import type { Lane, Meter } from './meter.ts'
import type { PlainCaller } from './plain-door.ts'

export interface PlainWires {
  take(caller: PlainCaller): void
  size(): number
  /** Piece bytes given since it was last asked. */
  given(): number
  ratesChanged(): void
  dropAll(): void
}

export function openPlainWires(parts: {
  infoHash: InfoHash
  pieces: number
  lengthOf: (piece: number) => number
  self: NodeName
  store: PieceStore
  meter: Meter
  clock: Pick<Clock, 'after'>
  isBackground: () => boolean
  /** There are more or fewer. */
  onChange: () => void
}): PlainWires {
  const { infoHash, pieces, meter, clock } = parts
  const callers = new Map<PlainCaller, Lane>()
  let given = 0

  const chokeOrNot = ({ wire }: PlainCaller, lane: Lane) => {
    if (meter.isOpen(lane)) wire.unchoke()
    else wire.choke()
  }
  const take = (caller: PlainCaller) => {
    const { wire, hangUp } = caller
    const lane: Lane = { isBackground: parts.isBackground, isElsewhere: () => caller.isElsewhere }
    callers.set(caller, lane)
    let idle: Timer | undefined
    const stirred = () => {
      idle?.cancel()
      idle = clock.after(limits.plainIdleMs, hangUp)
    }
    caller.onClose(() => {
      idle?.cancel()
      callers.delete(caller)
      parts.onChange()
    })
    /** It has all below. A client says what it likes as often as it likes: no piece is looked at anew each time. */
    let lowest = 0
    // Who has all needs nothing more from here.
    const leaveIfWhole = () => {
      while (lowest < pieces && wire.peerPieces.get(lowest)) lowest += 1
      if (lowest === pieces) hangUp()
    }
    wire.on('bitfield', () => {
      lowest = 0
      leaveIfWhole()
    })
    wire.on('have-all', hangUp)
    wire.on('have', leaveIfWhole)
    wire.on('piece', hangUp)
    wire.on('upload', (bytes: number) => {
      given += bytes
    })
    answerRequests({
      ...{ wire, clock, store: parts.store, meter, lane, lengthOf: parts.lengthOf },
      has: () => true,
      onSent: caller.onSent,
      onAbuse: hangUp,
    })
    wire.on('request', stirred)
    stirred()
    parts.onChange()
    wire.handshake(infoHash, peerIdOf(parts.self), { fast: true })
    if (wire.hasFast) wire.haveAll()
    else wire.bitfield(allBits(pieces))
    chokeOrNot(caller, lane)
    leaveIfWhole()
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

/** BEP 20: twenty bytes, here as hex, of which the first tell the program. */
function peerIdOf(node: NodeName): string {
  const rest = createHash('sha1').update(node).digest('hex').slice(0, 12)
  return Buffer.from(`-BN0001-${rest}`, 'latin1').toString('hex')
}
