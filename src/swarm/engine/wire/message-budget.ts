// What a peer may say on one wire without getting or giving anything by it. Every message costs its
// receiver some work, so a peer that goes on talking to no use is hung up on.

import type { Wire } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { Clock } from '../../../world/world.ts'

interface Budget {
  /** Whether there is room for so many more messages of no use. */
  spend(messages: number): boolean
  earn(messages: number): void
}

/** Refills with time and with what is earned, up to `limits.wireIdleMessagesMax`. */
function createBudget(clock: Pick<Clock, 'monotonicMs'>): Budget {
  let left: number = limits.wireIdleMessagesMax
  let atMs = clock.monotonicMs()
  const earn = (messages: number) => {
    left = Math.min(limits.wireIdleMessagesMax, left + messages)
  }
  return {
    earn,
    spend: (messages) => {
      const nowMs = clock.monotonicMs()
      earn(((nowMs - atMs) / 60_000) * limits.wireIdleMessagesPerMinute)
      left -= messages
      atMs = nowMs
      return left >= 0
    },
  }
}

/**
 * The messages that are always of no use beside the first few, and what each costs. One that says
 * anew what the peer has makes us look at every piece (BEP 3 and 6: it comes once, after the
 * handshake). Many clients cancel what they got elsewhere at the end of a transfer.
 */
const costs: Readonly<Record<string, number>> = {
  _onKeepAlive: 1,
  _onChoke: 1,
  _onUnchoke: 1,
  _onInterested: 1,
  _onUninterested: 1,
  _onBitField: 16,
  _onHaveAll: 16,
  _onHaveNone: 16,
  _onCancel: 1 / 16,
  _onPort: 1,
  _onSuggest: 1,
  _onAllowedFast: 1,
  _onExtended: 1,
}

type Handlers = Record<string, ((...args: number[]) => void) | undefined>

/**
 * Overrides what the wire does with each message. Returns what counts a message that turned out to be
 * of no use. `onTooMany` is called with each message beyond the budget, which is not handled.
 */
export function budgetMessages(wire: Wire, clock: Pick<Clock, 'monotonicMs'>, onTooMany: () => void): () => void {
  const { spend, earn } = createBudget(clock)
  const moved = (bytes: number) => earn(bytes / limits.wireIdleMessageEarnedBytes)
  wire.on?.('upload', moved)
  wire.on?.('download', moved)
  const handlers = wire as unknown as Handlers
  for (const [message, cost] of Object.entries(costs)) {
    const handle = handlers[message]
    handlers[message] = (...args) => (spend(cost) ? handle?.apply(wire, args) : onTooMany())
  }
  // A piece that the peer got is news, once. A number beyond the last piece never is.
  const onHave = handlers['_onHave']
  handlers['_onHave'] = (piece = 0) => {
    const had = hasPiece(wire, piece)
    onHave?.call(wire, piece)
    if ((had || !hasPiece(wire, piece)) && !spend(1)) onTooMany()
  }
  const count = () => {
    if (!spend(1)) onTooMany()
  }
  wire.on?.('unknownmessage', count)
  return count
}

function hasPiece({ peerPieces }: Wire, piece: number): boolean {
  return peerPieces?.get(piece) ?? false
}
