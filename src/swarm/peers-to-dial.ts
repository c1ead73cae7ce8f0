// From the peers of a handout to the peers that the engine dials. Pure.

import type { InfoHash, NodeName } from '../model/names.ts'
import type { Share } from '../model/wire/announce.ts'
import type { Meeting } from './engine.ts'

/** A peer of the tracker's handout, its address known. */
export interface HandoutPeer {
  node: NodeName
  address: string
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
type Elsewhere = Meeting['elsewhere']

/**
 * The peers that the engine is to dial. The parent counts as across a link unless it is known to be
 * at this node's site; a sibling whose site is not known is asked by the engine itself.
 */
export function peersToDial(peers: readonly HandoutPeer[], self: NodeName, site: string | null): Meeting[] {
  return peers
    .filter((peer) => peer.node !== self && peer.port > 0)
    .map(({ node, address, port, relation, site: theirs, share }) => {
      const known: Elsewhere = theirs === null || site === null ? null : theirs !== site
      const peer = { node, address, port, relation, elsewhere: known ?? (relation === 'parent' ? true : null) }
      return share === undefined ? peer : { ...peer, share }
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
    one.port === other.port &&
    one.relation === other.relation &&
    one.site === other.site &&
    one.share?.of === other.share?.of &&
    one.share?.which === other.share?.which
  )
}
