// Nodes that called for a holding that is not open yet. Each waits until the holding is, but not
// for long.

import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Clock, Timer } from '../../world/world.ts'
import type { Connection } from './link.ts'

export interface WaitingCallers {
  /** Returns false if there is no room; the connection is destroyed then. */
  add(infoHash: InfoHash, connection: Connection): boolean
  isWaitedFor(infoHash: InfoHash): boolean
  /** Those who waited for this holding; they wait no longer. */
  take(infoHash: InfoHash): Connection[]
  /** Hangs up on those who wait for this holding. */
  refuse(infoHash: InfoHash): void
  /** Hangs up on all. */
  stop(): void
}

export function startWaitingCallers(clock: Pick<Clock, 'after'>): WaitingCallers {
  const waiting = new Map<InfoHash, { connection: Connection; timer: Timer }[]>()
  const countOf = new Map<NodeName, number>()
  let count = 0

  const take = (infoHash: InfoHash): Connection[] => {
    const callers = waiting.get(infoHash) ?? []
    waiting.delete(infoHash)
    count -= callers.length
    for (const { connection, timer } of callers) {
      timer.cancel()
      const left = (countOf.get(connection.node) ?? 0) - 1
      if (left > 0) countOf.set(connection.node, left)
      else countOf.delete(connection.node)
    }
    return callers.map(({ connection }) => connection)
  }
  const refuse = (infoHash: InfoHash) => {
    for (const { socket } of take(infoHash)) socket.destroy()
  }
  return {
    add: (infoHash, connection) => {
      const ofNode = countOf.get(connection.node) ?? 0
      if (count >= limits.pendingSocketsMax || ofNode >= limits.waitingPerNodeMax) {
        connection.socket.destroy()
        return false
      }
      count += 1
      countOf.set(connection.node, ofNode + 1)
      const timer = clock.after(limits.callerWaitMs * 2, () => refuse(infoHash))
      waiting.set(infoHash, [...(waiting.get(infoHash) ?? []), { connection, timer }])
      return true
    },
    isWaitedFor: (infoHash) => waiting.has(infoHash),
    take,
    refuse,
    stop: () => {
      for (const infoHash of waiting.keys()) refuse(infoHash)
    },
  }
}
