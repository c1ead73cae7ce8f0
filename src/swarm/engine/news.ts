// Tells a wire which pieces are here. A message of its own for each piece costs both ends more than a tenth of what moving
// the piece does, once for every wire: so a few are told together, and along with whatever else is sent.

import type { Wire } from 'webtorrent'
import { limits } from '../../model/limits.ts'
import type { Clock, Timer } from '../../world/world.ts'

export interface News {
  /** All that is left to tell. */
  tell(): void
}

/** BEP 3: length, the number of the message, the piece. */
const haveBytes = 9
const haveMessage = 4

export function gatherNews(parts: {
  wire: Wire
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  /** Who has a piece is in no hurry to hear of it. */
  peerHas: (piece: number) => boolean
}): News {
  const { wire, clock } = parts
  const push = wire._push.bind(wire)
  let untold: number[] = []
  let toldAtMs = Number.NEGATIVE_INFINITY
  let timer: Timer | undefined

  const tell = () => {
    timer?.cancel()
    timer = undefined
    if (untold.length === 0 || wire.destroyed) return
    toldAtMs = clock.monotonicMs()
    const messages = messagesFor(untold)
    untold = []
    push(messages)
  }
  wire.have = (piece) => {
    untold.push(piece)
    if (timer !== undefined || parts.peerHas(piece)) return
    const waitMs = toldAtMs + limits.newsGatheredMs - clock.monotonicMs()
    if (waitMs <= 0) tell()
    else timer = clock.after(waitMs, tell)
  }
  wire._push = (bytes) => {
    tell()
    return push(bytes)
  }
  wire.once('close', () => {
    timer?.cancel()
    untold = []
  })
  return { tell }
}

function messagesFor(pieces: readonly number[]): Uint8Array {
  const messages = Buffer.alloc(haveBytes * pieces.length)
  for (const [index, piece] of pieces.entries()) {
    const at = index * haveBytes
    messages.writeUInt32BE(haveBytes - 4, at)
    messages.writeUInt8(haveMessage, at + 4)
    messages.writeUInt32BE(piece, at + 5)
  }
  return messages
}
