// Dials the peers that were handed out, again and again with back-off while they are handed out and needed.

import { isIP } from 'node:net'
import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { backOffMs } from '../../work/back-off.ts'
import type { Clock, Random, Timer } from '../../world/world.ts'
import type { Meeting } from '../engine.ts'

export interface Dialer {
  meet(meetings: readonly Meeting[]): void
  /** A link ended. `isNeeded` is false if neither side misses anything. */
  lost(node: NodeName, isNeeded: boolean): void
  /** Whether anybody is still to be reached. */
  isBusy(): boolean
  stop(): void
}

type Target = { meeting: Meeting; attempts: number } & (
  | { kind: 'resting'; sinceMs: number }
  | { kind: 'dialling' }
  | { kind: 'waiting'; timer: Timer }
  /** Nobody is to be busy with it meanwhile. */
  | { kind: 'banned'; timer: Timer }
  /** It has all, and so have we. */
  | { kind: 'done' }
)

export function startDialer<Connection>(parts: {
  clock: Clock
  random: Pick<Random, 'fraction'>
  /** May have it wait for its turn, and asks then whether it still is needed. */
  dial: (meeting: Meeting, isNeeded: () => boolean) => Promise<Connection>
  /** Whether there is a link already, or there must be none. */
  isSettled: (node: NodeName) => boolean
  /** How many milliseconds it is to be left alone. */
  bannedForMs: (node: NodeName) => number
  /** False if nothing came of it. */
  onConnection: (connection: Connection) => boolean
  /** Nobody waits for this connection any longer. */
  discard: (connection: Connection) => void
  onFailure: (meeting: Meeting, failure: Failure) => void
  onChange: () => void
}): Dialer {
  const targets = new Map<NodeName, Target>()
  let stopped = false

  const set = (node: NodeName, next: Target) => {
    const before = targets.get(node)
    if (before !== undefined) forget(before)
    targets.set(node, next)
    parts.onChange()
  }
  const resting = (meeting: Meeting, attempts: number): Target => {
    return { kind: 'resting', sinceMs: parts.clock.monotonicMs(), meeting, attempts }
  }
  const dial = (node: NodeName) => {
    const target = targets.get(node)
    if (stopped || target === undefined || target.kind === 'dialling' || target.kind === 'done') return
    const { meeting, attempts } = target
    if (parts.isSettled(node)) return set(node, resting(meeting, attempts))
    const bannedMs = parts.bannedForMs(node)
    if (bannedMs > 0) {
      return set(node, { kind: 'banned', meeting, attempts, timer: parts.clock.after(bannedMs, () => dial(node)) })
    }
    set(node, { kind: 'dialling', meeting, attempts })
    const isNeeded = () => {
      const current = targets.get(node)
      return !stopped && current?.kind === 'dialling' && isSamePlace(current.meeting, meeting)
    }
    parts.dial(meeting, isNeeded).then(
      (connection) => {
        const current = targets.get(node)
        if (current === undefined || !isNeeded()) {
          parts.discard(connection)
          return
        }
        set(node, resting(current.meeting, current.attempts))
        if (!parts.onConnection(connection)) later(node, current.meeting, current.attempts + 1)
      },
      (error) => {
        const current = targets.get(node)
        if (current === undefined || !isNeeded()) return
        parts.onFailure(meeting, error instanceof Failure ? error : new Failure('unreachable', messageOf(error)))
        later(node, current.meeting, current.attempts + 1)
      },
    )
  }
  const later = (node: NodeName, meeting: Meeting, attempts: number) => {
    if (stopped) return
    // The parent has to be back soon once it can be reached; a sibling may call, too.
    const isSlow = meeting.relation === 'sibling' && isInVain(attempts)
    const ceilingMs = isSlow ? limits.siblingRetryCeilingMs : limits.retryCeilingMs
    const fraction = parts.random.fraction()
    const ms = backOffMs({ failures: attempts, fraction, firstMs: limits.retryFirstMs, ceilingMs })
    set(node, { kind: 'waiting', meeting, attempts, timer: parts.clock.after(ms, () => dial(node)) })
  }
  return {
    meet: (handout) => {
      const meetings = handout.filter(mayBeDialled).slice(0, limits.peersPerHandoutMax + 1)
      const handedOut = new Set(meetings.map(({ node }) => node))
      for (const [node, target] of targets) {
        if (handedOut.has(node)) continue
        forget(target)
        targets.delete(node)
      }
      for (const meeting of meetings) {
        const { node } = meeting
        const known = targets.get(node)
        if (known !== undefined && isSamePlace(known.meeting, meeting)) {
          targets.set(node, { ...known, meeting })
          continue
        }
        set(node, resting(meeting, 0))
        dial(node)
      }
      parts.onChange()
    },
    lost: (node, isNeeded) => {
      const target = targets.get(node)
      if (target === undefined || target.kind === 'dialling') return
      if (!isNeeded) set(node, { kind: 'done', meeting: target.meeting, attempts: 0 })
      if (!isNeeded || target.kind !== 'resting') return
      const lasted = parts.clock.monotonicMs() - target.sinceMs > limits.retryCeilingMs
      later(node, target.meeting, lasted ? 1 : target.attempts + 1)
    },
    isBusy: () =>
      [...targets.values()].some(({ kind, attempts }) => {
        return (kind === 'dialling' || kind === 'waiting') && !isInVain(attempts)
      }),
    stop: () => {
      stopped = true
      for (const target of targets.values()) forget(target)
      targets.clear()
    },
  }
}

function forget(target: Target): void {
  if (target.kind === 'waiting' || target.kind === 'banned') target.timer.cancel()
}

/** The parent's address comes from this node's own settings, the others' from somebody else. */
function mayBeDialled({ address, relation }: Meeting): boolean {
  return relation === 'parent' || isIP(address) !== 0
}

function isSamePlace(a: Meeting, b: Meeting): boolean {
  return a.address === b.address && a.port === b.port
}

function isInVain(attempts: number): boolean {
  return attempts > limits.dialsInVainMax
}
