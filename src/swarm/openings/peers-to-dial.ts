// From the peers of a handout to the peers that the engine dials. Pure.

import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Share } from '../../model/wire/announce.ts'
import type { PeerToDial } from '../engine.ts'

/** A peer of the tracker's handout, its address known. */
export interface HandoutPeer {
  node: NodeName
  address: string
  /** Where the peer may be as well, the best first. */
  others?: readonly string[]
  port: number
  relation: 'parent' | 'sibling'
  /** Null if the tracker does not know it. */
  site: string | null
  /** The pieces to request from this peer first. */
  share?: Share
}

/**
 * Null: it is not known whether the connection crosses a link, and the engine asks the peer for its
 * site.
 */
type Elsewhere = PeerToDial['elsewhere']

/**
 * The peers that the engine is to dial. The parent counts as across a link unless it is known to be
 * at this node's site; a sibling whose site is not known is asked by the engine itself.
 */
export function peersToDial(peers: readonly HandoutPeer[], self: NodeName, site: string | null): PeerToDial[] {
  return peers
    .filter((peer) => peer.node !== self && peer.port > 0)
    .map(({ node, address, others, port, relation, site: theirs, share }) => {
      const known: Elsewhere = theirs === null || site === null ? null : theirs !== site
      return {
        ...{ node, address, port, relation, elsewhere: known ?? (relation === 'parent' ? true : null) },
        ...(others !== undefined && { others: [...others] }),
        ...(share !== undefined && { share }),
      }
    })
}

export interface Handouts {
  /**
   * Takes in the newest handout of one swarm; an empty one is forgotten. False if the last one
   * listed the same peers.
   */
  take(infoHash: InfoHash, peers: readonly HandoutPeer[]): boolean
  /** The peers of the newest handout, the best first. */
  of(infoHash: InfoHash): readonly HandoutPeer[]
}

/** The newest handout of each swarm. */
export function createHandouts(): Handouts {
  const handouts = new Map<InfoHash, readonly HandoutPeer[]>()
  const peersOf = (infoHash: InfoHash) => handouts.get(infoHash) ?? []
  return {
    take: (infoHash, peers) => {
      if (areSamePeers(peers, peersOf(infoHash))) return false
      if (peers.length === 0) handouts.delete(infoHash)
      else handouts.set(infoHash, peers)
      return true
    },
    of: peersOf,
  }
}

/** The order counts: the first peers are the best. */
function areSamePeers(some: readonly HandoutPeer[], others: readonly HandoutPeer[]): boolean {
  return some.length === others.length && some.every((peer, index) => isSamePeer(peer, others[index]))
}

function isSamePeer(one: HandoutPeer, other: HandoutPeer | undefined): boolean {
  return (
    one.node === other?.node &&
    one.address === other.address &&
    one.others?.join(' ') === other.others?.join(' ') &&
    one.port === other.port &&
    one.relation === other.relation &&
    one.site === other.site &&
    one.share?.of === other.share?.of &&
    one.share?.which === other.share?.which
  )
}
