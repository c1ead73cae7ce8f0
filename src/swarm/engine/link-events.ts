// What happens on the links of one holding.

import type { NodeName } from '../../model/names.ts'
import type { Link } from './link.ts'

/**
 * The life of each link: `onOpen` once it can be used, then what its peer has and sends, then
 * `onClose`.
 */
export interface LinkEvents {
  onOpen(link: Link): void
  /** Its bytes may go another way now: over links between sites, or within the site. */
  onLane(link: Link): void
  /** The peer has got this piece. */
  onHas(link: Link, piece: number): void
  /** The peer has said anew which pieces it has. */
  onHasAnew(link: Link): void
  onBlock(link: Link): void
  /** The peer got wrong bytes for this piece from us, as it says. The number may be any. */
  onToldWrong(piece: number, from: NodeName): void
  /** A node called, and there is no room for it. */
  onFull(node: NodeName): void
  /**
   * `isNeeded` is false if both ends had all pieces; `isReplaced` is true if there is another link
   * to the node by now.
   */
  onClose(link: Link, end: { because: string; isNeeded: boolean; isReplaced: boolean }): void
}
