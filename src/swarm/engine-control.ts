// What the node asks of the engine. An engine that starts later is told all of it then.

import type { InfoHash, NodeName, Sha256 } from '../model/names.ts'
import type { Rates } from '../model/units/rates.ts'
import type { TlsIdentity } from '../world/world.ts'
import { type Counters, placeOf } from './engine.ts'
import type { EngineKeeper } from './keeper.ts'
import type { OpeningEvent } from './openings/opening-events.ts'
import type { HandoutPeer, Handouts } from './openings/peers-to-dial.ts'
import type { Reach, Siblings } from './siblings.ts'

/** Bytes moved, and engines started, since the daemon started. */
export interface Moved extends Counters {
  engineStarts: number
}

export interface EngineControl {
  /** Replaces the peers to dial for this payload. The best peer comes first. */
  setPeers(infoHash: InfoHash, peers: readonly HandoutPeer[]): void
  /** Cuts the wire to a node for this payload. The node may dial again. */
  part(infoHash: InfoHash, node: NodeName): void
  /** Limits the rates of all transfers together. */
  setRates(rates: Rates): void
  /** Makes the pieces of these manifests' payloads yield to all others. */
  setBackground(manifests: ReadonlySet<Sha256>): void
  /**
   * Cuts the wires of these keys, by their ids, and refuses new ones. A node with another key is let in.
   * Replaces the last list.
   */
  setRevoked(keys: readonly Sha256[]): void
  /** Sends the engine this node's new certificate. */
  renew(): void
  /** Starts an engine, because a transfer is likely to start soon. */
  warmUp(): void
  moved(): Moved
  /** Which siblings could be reached lately. */
  siblings(): Reach
}

/** What every engine is told when it starts. The engine control writes it. */
export interface EngineSettings {
  rates: Rates
  /** Ids of keys. */
  revoked: readonly Sha256[]
}

export function createEngineControl(parts: {
  keeper: EngineKeeper
  settings: EngineSettings
  handouts: Handouts
  siblings: Siblings
  tls: () => TlsIdentity
  moved: () => Counters
  dispatch: (event: OpeningEvent) => void
}): EngineControl {
  const { keeper, settings, handouts, siblings, dispatch } = parts
  return {
    setPeers: (infoHash, peers) => {
      for (const peer of peers) if (peer.relation === 'sibling') siblings.handedOut(peer.node, placeOf(peer))
      // The tracker is told of some that were dialled in vain, and hands out the others again.
      const toDial = peers.filter(({ node, relation }) => relation === 'parent' || !siblings.isUnreached(node))
      if (handouts.take(infoHash, toDial)) dispatch({ kind: 'handed-out', infoHash, peers: toDial })
    },
    part: (infoHash, node) => dispatch({ kind: 'part', infoHash, node }),
    setRates: (rates) => {
      settings.rates = rates
      keeper.send({ kind: 'rates', rates })
    },
    setBackground: (manifests) => dispatch({ kind: 'background', manifests }),
    setRevoked: (keys) => {
      settings.revoked = keys
      keeper.send({ kind: 'revoked', keys: [...keys] })
    },
    renew: () => keeper.send({ kind: 'tls', tls: parts.tls() }),
    warmUp: () => {
      dispatch({ kind: 'engine-needed' })
      keeper.need()
    },
    moved: () => ({ ...parts.moved(), engineStarts: keeper.starts() }),
    siblings: siblings.now,
  }
}
