// Which holdings the engine is to have open, and whom it is to meet there. Pure.

import { unreachable } from '../model/failure.ts'
import type { NodeName } from '../model/names.ts'
import type { Share } from '../model/wire/announce.ts'
import type { Meeting } from './engine.ts'
import type { Holding } from './holdings/holding.ts'

/** A peer from the tracker's handout, its address known. */
export interface ReachablePeer {
  node: NodeName
  address: string
  port: number
  relation: 'parent' | 'sibling'
  site: string | null
  /** Of its pieces those to ask for first. */
  share?: Share
}

/** What is known of the use that others make of a holding. */
export interface Use {
  /** It has wires, or peers to reach. */
  busy: boolean
  /** Without being busy it is kept open until then, in monotonic milliseconds. */
  untilMs: number
}

/** A complete holding sleeps on disk until somebody wants it. */
export function shouldBeOpen(holding: Holding, use: Use | undefined, nowMs: number): boolean {
  const { progress } = holding
  switch (progress.kind) {
    case 'incoming':
      return holding.wanted
    case 'complete':
      return use !== undefined && (use.busy || nowMs < use.untilMs)
    case 'failed':
      return false
    default:
      return unreachable(progress)
  }
}

/** When, in monotonic milliseconds, to look again although nothing happens. */
export function nextLookAt(holding: Holding, use: Use | undefined): number {
  if (holding.progress.kind === 'failed') return holding.wanted ? holding.progress.retryAtMs : Number.POSITIVE_INFINITY
  if (holding.progress.kind === 'complete' && use !== undefined && !use.busy) return use.untilMs
  return Number.POSITIVE_INFINITY
}

/** The parent is across a link unless it is known to be at our site; of a sibling the engine asks the sibling itself. */
export function meetingsWith(peers: readonly ReachablePeer[], self: NodeName, site: string | null): Meeting[] {
  return peers
    .filter((peer) => peer.node !== self && peer.port > 0)
    .map(({ node, address, port, relation, site: theirs, share }) => {
      const known = theirs === null || site === null ? null : theirs !== site
      const meeting = { node, address, port, relation, elsewhere: known ?? (relation === 'parent' ? true : null) }
      return share === undefined ? meeting : { ...meeting, share }
    })
}
