// A tracker, and children that announce to it.

import type { InfoHash, NodeName } from '../../src/model/names.ts'
import type { Announce, AnnouncedSwarm, Handout, Peer } from '../../src/model/wire/announce.ts'
import { parseHandout } from '../../src/model/wire/announce.ts'
import type { Self } from '../../src/tracker/handout.ts'
import type { Wanted } from '../../src/tracker/memberships.ts'
import { startTracker, type Tracker, type TrackerParts } from '../../src/tracker/tracker.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { type HandClock, handClock } from './hand-clock.ts'

export type Have = AnnouncedSwarm['have']

export const infoHashOf = (index: number): string => index.toString(16).padStart(40, '0')
export const manifestOf = (index: number): string => index.toString(16).padStart(64, '0')

export function swarmOf(index: number, have: Have): AnnouncedSwarm {
  return { infoHash: infoHashOf(index), manifest: manifestOf(index), have }
}

export function announceOf(swarms: readonly AnnouncedSwarm[], rest: Partial<Announce> = {}): Announce {
  return { swarmPort: 7421, site: null, swarms: [...swarms], ...rest }
}

export interface Subtree {
  tracker: Tracker
  clock: HandClock
  /** How often `wanted` has changed. */
  changes(): number
  announce(node: string, announce: Announce, address?: string): Handout
}

export function subtree({
  holds = () => undefined,
  bytesOf = () => 0,
  site = 'here',
  seed = 'subtree',
  lacks = () => [],
  onWantedChanged = () => {},
  onRelieved = () => {},
  ...rest
}: Pick<TrackerParts, 'mayWant' | 'onUnkept' | 'signedSite' | 'isGiving'> & {
  holds?: Self['holds']
  bytesOf?: Self['bytesOf']
  site?: string | null
  lacks?: Self['lacks']
  onWantedChanged?: (wanted: Wanted[]) => void
  onRelieved?: (infoHash: InfoHash, node: NodeName) => void
  seed?: string
} = {}): Subtree {
  const clock = handClock()
  let changes = 0
  const tracker = startTracker({
    clock,
    random: seededRandom(seed),
    self: { node: 'parent', swarmPort: 7421, site, holds, bytesOf, lacks },
    onWantedChanged: () => {
      changes += 1
      onWantedChanged(tracker.wanted())
    },
    onRelieved,
    ...rest,
  })
  return {
    tracker,
    clock,
    changes: () => changes,
    // A handout that the child's parser would refuse fails here already.
    announce: (node, announce, address = '10.0.0.1') =>
      parseHandout(
        JSON.parse(JSON.stringify(tracker.announce({ node, address, reachedAt: '10.0.9.9', announce }))),
        'handout',
      ),
  }
}

export function peersIn(handout: Handout, index: number, relation?: Peer['relation']): Peer[] {
  const peers = handout.swarms[infoHashOf(index)] ?? []
  return peers.filter((peer) => relation === undefined || peer.relation === relation)
}

export function siblingsIn(handout: Handout, index: number): string[] {
  return peersIn(handout, index, 'sibling').map((peer) => peer.node)
}
