// The blocks that were requested over one wire and have not come yet. A block that nobody asked for
// costs its receiver more than its sender, so it ends the wire.

import type { Wire } from 'webtorrent'
import { BoundedMap } from '../../../model/bounded-map.ts'
import { limits } from '../../../model/limits.ts'

/**
 * Overrides `request`, `_onPiece` and `_onReject` of the wire. A block that was cancelled meanwhile
 * may still come, once: it was on its way. `onRefusedInVain`: the peer refuses what nobody asked for.
 */
export function takeAskedBlocks(
  wire: Wire,
  { onUnasked, onRefusedInVain }: { onUnasked: () => void; onRefusedInVain: () => void },
): void {
  const { request, _onPiece: onPiece, _onReject: onReject } = wire
  /** How often each block may come. */
  const asked = new BoundedMap<string, number>(limits.wireAskedKept)

  const came = (piece: number, offset: number, length: number): boolean => {
    const block = `${piece} ${offset} ${length}`
    const times = asked.get(block) ?? 0
    if (times > 1) asked.set(block, times - 1)
    else asked.delete(block)
    return times > 0
  }
  wire.request = (piece, offset, length, done) => {
    const block = `${piece} ${offset} ${length}`
    asked.set(block, (asked.get(block) ?? 0) + 1)
    request.call(wire, piece, offset, length, done)
  }
  wire._onPiece = (piece, offset, bytes) => {
    if (came(piece, offset, bytes.length)) onPiece.call(wire, piece, offset, bytes)
    else onUnasked()
  }
  wire._onReject = (piece, offset, length) => {
    if (!came(piece, offset, length)) onRefusedInVain()
    onReject.call(wire, piece, offset, length)
  }
}
