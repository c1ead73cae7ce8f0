// Sends HAVEs on one wire. A HAVE per message costs both ends more than a tenth of what moving the
// piece does, once for every wire: so a few are sent together, or along with whatever else is sent.

import type { Wire } from 'webtorrent'
import { limits } from '../../model/limits.ts'
import type { Clock, Timer } from '../../world/world.ts'

export interface News {
  /** Sends all that wait. */
  send(): void
}

/** BEP 3: the length of what follows, the number of the message, the piece. */
const haveBytes = 9
const haveMessage = 4

/** Overrides `have` and `_push` of the wire. */
export function gatherNews(parts: {
  wire: Wire
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  /** A peer that has a piece is in no hurry for its HAVE. */
  peerHas: (piece: number) => boolean
}): News {
  const { wire, clock } = parts
  const push = wire._push.bind(wire)
  let unsent: number[] = []
  let sentAtMs = Number.NEGATIVE_INFINITY
  let timer: Timer | undefined

  const send = () => {
    timer?.cancel()
    timer = undefined
    if (unsent.length === 0 || wire.destroyed) return
    sentAtMs = clock.monotonicMs()
    const messages = messagesFor(unsent)
    unsent = []
    push(messages)
  }
  wire.have = (piece) => {
    unsent.push(piece)
    if (timer !== undefined || parts.peerHas(piece)) return
    const waitMs = sentAtMs + limits.newsGatheredMs - clock.monotonicMs()
    if (waitMs <= 0) send()
    else timer = clock.after(waitMs, send)
  }
  wire._push = (bytes) => {
    send()
    return push(bytes)
  }
  wire.once('close', () => {
    timer?.cancel()
    unsent = []
  })
  return { send }
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
