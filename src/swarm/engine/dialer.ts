// Dials the handed-out peers of one holding, again and again with back-off, as long as they are
// handed out and needed.

import { isIP } from 'node:net'
import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { backOffMs } from '../../work/back-off.ts'
import type { Clock, Random, Timer } from '../../world/world.ts'
import { type PeerToDial, placeOf } from '../engine.ts'

export interface Dialer {
  /** The handed-out peers, all of them. Dials the ones that are new or have moved. */
  setPeers(peers: readonly PeerToDial[]): void
  /** A link ended. `isNeeded` is false if both ends have all pieces. */
  lost(node: NodeName, isNeeded: boolean): void
  /** A link ended that nobody had used for long: its node is dialled again once `wake` is called. */
  rested(node: NodeName): void
  /** There may be a reason to use the nodes that rest. */
  wake(): void
  /** Whether there is a peer that may still be reached. */
  isBusy(): boolean
  stop(): void
}

interface DialerParts<Connection> {
  clock: Clock
  random: Pick<Random, 'fraction'>
  /**
   * May wait for its turn; when it comes, `isNeeded` says whether the peer still has to be dialled.
   */
  dial: (peer: PeerToDial, isNeeded: () => boolean) => Promise<Connection>
  /**
   * Whether there is a link to the node already, or there must be none. A link to where the node was
   * before, if it has moved, is none.
   */
  isSettled: (node: NodeName, hasMoved: boolean) => boolean
  /** The milliseconds for which the node is to be left alone. */
  bannedForMs: (node: NodeName) => number
  /** Returns whether there is a link to the node now. */
  onConnection: (connection: Connection, peer: PeerToDial) => boolean
  /** The connection is not wanted any longer. */
  discard: (connection: Connection) => void
  onFailure: (peer: PeerToDial, failure: Failure) => void
  /** `isBusy` may have changed. */
  onChange: () => void
}

export function startDialer<Connection>(parts: DialerParts<Connection>): Dialer {
  return new RunningDialer(parts)
}

/** A handed-out peer. `attempts` is the number of dials in a row that came to nothing. */
type Target = { peer: PeerToDial; attempts: number } & (
  | { kind: 'resting'; sinceMs: number }
  | { kind: 'dialling' }
  /** For the next attempt. */
  | { kind: 'waiting'; timer: Timer }
  /** Until the ban ends. A ban keeps no holding busy. */
  | { kind: 'banned'; timer: Timer }
  /** Nobody used the link. The timer ends the rest in the end, as a reason may have gone unseen. */
  | { kind: 'unused'; timer: Timer }
  /** Both ends have all pieces. */
  | { kind: 'done' }
)

class RunningDialer<Connection> implements Dialer {
  readonly #parts: DialerParts<Connection>
  readonly #targets = new Map<NodeName, Target>()
  #isStopped = false

  constructor(parts: DialerParts<Connection>) {
    this.#parts = parts
  }

  setPeers(handout: readonly PeerToDial[]): void {
    const peers = handout.filter(mayBeDialled).slice(0, limits.peersPerHandoutMax + 1)
    const handedOut = new Set(peers.map(({ node }) => node))
    for (const [node, target] of this.#targets) {
      if (handedOut.has(node)) continue
      cancelTimer(target)
      this.#targets.delete(node)
    }
    for (const peer of peers) {
      const known = this.#targets.get(peer.node)
      if (known !== undefined && isSamePlace(known.peer, peer)) {
        this.#targets.set(peer.node, { ...known, peer })
        continue
      }
      this.#rest(peer, 0)
      this.#dial(peer.node, known !== undefined && !isSameMachine(known.peer, peer))
    }
    this.#parts.onChange()
  }

  lost(node: NodeName, isNeeded: boolean): void {
    const target = this.#targets.get(node)
    if (target === undefined || target.kind === 'dialling') return
    // What that node gave has to come from others now.
    if (isNeeded) this.wake()
    if (!isNeeded) this.#set({ kind: 'done', peer: target.peer, attempts: 0 })
    if (!isNeeded || target.kind !== 'resting') return
    const lastedLong = this.#parts.clock.monotonicMs() - target.sinceMs > limits.retryCeilingMs
    this.#dialLater(target.peer, lastedLong ? 1 : target.attempts + 1)
  }

  rested(node: NodeName): void {
    const target = this.#targets.get(node)
    if (this.#isStopped || target?.kind !== 'resting') return
    const ms = target.peer.relation === 'parent' ? limits.retryCeilingMs : limits.siblingRetryCeilingMs
    const timer = this.#parts.clock.after(ms, () => this.#dial(node))
    this.#set({ kind: 'unused', peer: target.peer, attempts: 0, timer })
  }

  wake(): void {
    for (const [node, { kind }] of [...this.#targets]) if (kind === 'unused') this.#dial(node)
  }

  isBusy(): boolean {
    return [...this.#targets.values()].some(({ kind, attempts }) => {
      return (kind === 'dialling' || kind === 'waiting') && !isInVain(attempts)
    })
  }

  stop(): void {
    this.#isStopped = true
    for (const target of this.#targets.values()) cancelTimer(target)
    this.#targets.clear()
  }

  #set(next: Target): void {
    const before = this.#targets.get(next.peer.node)
    if (before !== undefined) cancelTimer(before)
    this.#targets.set(next.peer.node, next)
    this.#parts.onChange()
  }

  #rest(peer: PeerToDial, attempts: number): void {
    this.#set({ kind: 'resting', sinceMs: this.#parts.clock.monotonicMs(), peer, attempts })
  }

  #dial(node: NodeName, hasMoved = false): void {
    const target = this.#targets.get(node)
    if (this.#isStopped || target === undefined || target.kind === 'dialling' || target.kind === 'done') return
    const { peer, attempts } = target
    const bannedMs = this.#parts.bannedForMs(node)
    if (this.#parts.isSettled(node, hasMoved)) {
      this.#rest(peer, attempts)
    } else if (bannedMs > 0) {
      const timer = this.#parts.clock.after(bannedMs, () => this.#dial(node))
      this.#set({ kind: 'banned', peer, attempts, timer })
    } else {
      this.#dialNow(peer, attempts)
    }
  }

  #dialNow(peer: PeerToDial, attempts: number): void {
    this.#set({ kind: 'dialling', peer, attempts })
    this.#parts
      .dial(peer, () => this.#dialling(peer) !== undefined)
      .then(
        (connection) => this.#dialled(peer, connection),
        (error) => this.#failed(peer, error),
      )
  }

  /**
   * The target, unless it has moved, is not handed out any longer or is not dialled for another
   * reason.
   */
  #dialling(peer: PeerToDial): Target | undefined {
    const target = this.#targets.get(peer.node)
    if (this.#isStopped || target?.kind !== 'dialling') return undefined
    return isSamePlace(target.peer, peer) ? target : undefined
  }

  #dialled(dialled: PeerToDial, connection: Connection): void {
    const target = this.#dialling(dialled)
    if (target === undefined) {
      this.#parts.discard(connection)
      return
    }
    const { peer, attempts } = target
    this.#rest(peer, attempts)
    if (!this.#parts.onConnection(connection, peer)) this.#dialLater(peer, attempts + 1)
  }

  #failed(dialled: PeerToDial, error: unknown): void {
    const target = this.#dialling(dialled)
    if (target === undefined) return
    this.#parts.onFailure(dialled, error instanceof Failure ? error : new Failure('unreachable', messageOf(error)))
    this.#dialLater(target.peer, target.attempts + 1)
  }

  #dialLater(peer: PeerToDial, attempts: number): void {
    if (this.#isStopped) return
    const { clock, random } = this.#parts
    // The parent has to be back soon once it can be reached; a sibling may call us as well.
    const isSlow = peer.relation === 'sibling' && isInVain(attempts)
    const ceilingMs = isSlow ? limits.siblingRetryCeilingMs : limits.retryCeilingMs
    const ms = backOffMs({ failures: attempts, fraction: random.fraction(), firstMs: limits.retryFirstMs, ceilingMs })
    this.#set({ kind: 'waiting', peer, attempts, timer: clock.after(ms, () => this.#dial(peer.node)) })
  }
}

function cancelTimer(target: Target): void {
  if (target.kind === 'waiting' || target.kind === 'banned' || target.kind === 'unused') target.timer.cancel()
}

/**
 * The parent's address is from this node's own settings and may be a name; the others' are from
 * somebody else.
 */
function mayBeDialled({ address, others = [], relation }: PeerToDial): boolean {
  return relation === 'parent' || [address, ...others].every((each) => isIP(each) !== 0)
}

function isSamePlace(a: PeerToDial, b: PeerToDial): boolean {
  return placeOf(a) === placeOf(b)
}

/** Whether the wire to one place may still be of use when the peer is said to be at the other. */
function isSameMachine(a: PeerToDial, b: PeerToDial): boolean {
  const before = [a.address, ...(a.others ?? [])]
  return a.port === b.port && [b.address, ...(b.others ?? [])].some((address) => before.includes(address))
}

function isInVain(attempts: number): boolean {
  return attempts > limits.dialsInVainMax
}
