// The state of the opening table, every event that can happen to it, and every effect
// that it can have. Types only.

import type { InfoHash, NodeName, Sha256 } from '../model/names.ts'
import type { Command } from './engine.ts'
import type { Holding } from './holdings/holding.ts'
import type { Holdings } from './holdings/holdings.ts'
import type { EngineKeeper } from './keeper.ts'
import type { Use } from './opening.ts'
import type { HandoutPeer } from './peers-to-dial.ts'

/** How far the engine is with one holding. A closed holding has no stage. */
export type Stage = 'loading' | 'open' | 'closing'

export interface OpeningTable {
  /** All holdings that are not closed, in the order in which they began to load. */
  readonly stages: ReadonlyMap<InfoHash, Stage>
  /**
   * The holdings that other nodes or ordinary clients use. All other complete holdings sleep on
   * disk.
   */
  readonly uses: ReadonlyMap<InfoHash, Use>
  /** The holdings that a node has asked for and whose callers have not been refused yet. */
  readonly called: ReadonlySet<InfoHash>
  /** The holdings that stay closed while the control side works on their files. */
  readonly keptClosed: ReadonlySet<InfoHash>
  /** The manifests whose holdings yield to all others. */
  readonly background: ReadonlySet<Sha256>
  /**
   * The engine keeps running until then even without any open holding, in monotonic milliseconds.
   */
  readonly neededUntilMs: number
  /**
   * After the stop nothing is opened or closed any more; the engine's last reports still come in.
   */
  readonly isStopped: boolean
}

/** What the table reads and does not own, as of the moment of the event. */
export interface Surroundings {
  readonly nowMs: number
  readonly engine: ReturnType<EngineKeeper['kind']>
  /** The number of connections that wait for the engine to start. */
  readonly callersWaiting: number
  readonly holdings: Pick<Holdings, 'get' | 'unfinished'>
  /** How long the engine runs without work before it ends. */
  readonly engineIdleMs: number
}

export type OpeningEvent =
  /** A holding has changed, or time has passed. This event may come at any time. */
  | { kind: 'look' }
  /** The engine has started and knows nothing yet. */
  | { kind: 'engine-running' }
  /** The engine ended although nobody asked it to. */
  | { kind: 'engine-crashed' }
  /** No engine runs, and one may be started. */
  | { kind: 'engine-gone' }
  /** The engine is needed for a reason that the table does not see. */
  | { kind: 'engine-needed' }
  /** A node asks for a holding that is not open. */
  | { kind: 'called'; infoHash: InfoHash }
  /** The callers of this holding have waited long enough. */
  | { kind: 'call-expired'; infoHash: InfoHash }
  /** An ordinary client asks for this holding. */
  | { kind: 'used'; infoHash: InfoHash }
  /** Whether the holding has wires, or peers that the engine still tries to reach. */
  | { kind: 'busy'; infoHash: InfoHash; busy: boolean }
  /** The metainfo was read; it is undefined if none is recorded. */
  | { kind: 'loaded'; infoHash: InfoHash; metainfo: Uint8Array | undefined }
  /** The metainfo could not be read. */
  | { kind: 'not-loaded'; infoHash: InfoHash; because: string }
  /** The engine could not go on with the holding. */
  | { kind: 'failed'; infoHash: InfoHash }
  /**
   * The engine has closed the holding. `isAwaited` says whether an ordinary client waits for it.
   */
  | { kind: 'closed'; infoHash: InfoHash; isAwaited: boolean }
  /** A handout that differs from the last one lists these peers. */
  | { kind: 'handed-out'; infoHash: InfoHash; peers: readonly HandoutPeer[] }
  /** The wire to a node is to be cut. */
  | { kind: 'part'; infoHash: InfoHash; node: NodeName }
  /** The control side is about to work on the files of the holding. */
  | { kind: 'keep-closed'; infoHash: InfoHash }
  /** That work is done. */
  | { kind: 'let-open'; infoHash: InfoHash }
  /** The holdings of these manifests yield to all others from now on. */
  | { kind: 'background'; manifests: ReadonlySet<Sha256> }
  /** The node shuts down. */
  | { kind: 'stopped' }

export type OpeningEffect =
  | { kind: 'need-engine' }
  | { kind: 'end-engine' }
  /** Sends the engine its identity and settings. */
  | { kind: 'introduce' }
  /** Reads the metainfo; `loaded` or `not-loaded` follows. */
  | { kind: 'load'; infoHash: InfoHash }
  /** Sends the engine all that it needs for this holding. */
  | { kind: 'open'; holding: Holding; metainfo: Uint8Array; background: boolean }
  /** Sends the engine the peers to dial for this open holding. */
  | { kind: 'dial'; infoHash: InfoHash; peers: readonly HandoutPeer[] }
  | { kind: 'send'; command: Extract<Command, { kind: 'close' | 'refuse' | 'part' | 'background' }> }
  /** The engine does not have the holding any longer: whoever waits for that goes on. */
  | { kind: 'closed'; infoHash: InfoHash }
  /** The holding counts as failed. */
  | { kind: 'not-opened'; infoHash: InfoHash; because: string }
  /** The engine ended without order: pieces may lie on disk that were never recorded. */
  | { kind: 'unsure'; infoHash: InfoHash }
  /** The failed holding is tried again. */
  | { kind: 'retry'; infoHash: InfoHash }
  /** No ordinary client is let in or waits any longer. */
  | { kind: 'forget-clients' }
  /** `call-expired` follows after this time, and no earlier one does. */
  | { kind: 'expire-call'; infoHash: InfoHash; afterMs: number }
  /** `look` follows after this time, or not at all, and no earlier one does. */
  | { kind: 'look-again'; afterMs: number | null }
