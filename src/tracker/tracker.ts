// The tracker of one subtree: takes in its children's announces, tells each whom to meet, and tells its own node what
// the children lack.

import type { Announce, Handout } from '../model/announce.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Clock, Random, Timer } from '../world/world.ts'
import { handoutFor, type Self } from './handout.ts'
import { createTable, type Wanted } from './table.ts'

export interface TrackerParts {
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  random: Pick<Random, 'fraction'>
  /** Read anew with every announce. */
  self: Self
  /**
   * Called when `wanted` says something else than before: within `announce`, before the handout is decided, so that a
   * payload which the node starts to want here is already handed out as held; and when members are forgotten.
   */
  onWantedChanged?: () => void
}

/** A child as `banyan status` shows it. */
export interface MemberStatus {
  node: NodeName
  address: string
  port: number
  site: string
  silentMs: number
  swarms: number
  /** How many of its swarms it does not have all of. */
  missing: number
}

export interface Tracker {
  /**
   * `node` is whom the certificate names and `address` where the connection comes from. Throws a `conflict` Failure if
   * the node is this node itself.
   */
  announce(announced: { node: NodeName; address: string; announce: Announce }): Handout
  /** What children announced and do not have all of, sorted. */
  wanted(): Wanted[]
  /** Sorted by name. */
  members(): MemberStatus[]
  stop(): void
}

export function createTracker({ clock, random, self, onWantedChanged }: TrackerParts): Tracker {
  const table = createTable()
  let timer: Timer | undefined

  function changing<T>(change: () => T): T {
    const before = table.wantedEdition()
    const result = change()
    if (table.wantedEdition() !== before) onWantedChanged?.()
    return result
  }

  function forget(): void {
    changing(() => table.forget(clock.monotonicMs()))
    const oldest = table.oldest()
    timer?.cancel()
    timer = oldest && clock.after(oldest.lastSeenMs + limits.peerForgottenAfterMs - clock.monotonicMs(), forget)
  }

  return {
    announce({ node, address, announce }) {
      if (node === self.node) throw new Failure('conflict', `${node} announces to itself`)
      const nowMs = clock.monotonicMs()
      const draw = Math.floor(random.fraction() * 2 ** 32)
      const caller = changing(() => {
        table.forget(nowMs)
        return table.put({ node, address, announce, nowMs, draw })
      })
      if (timer === undefined) forget()
      return handoutFor({ table, caller, announce, self, random })
    },

    wanted: () => table.wanted(),

    members() {
      const nowMs = clock.monotonicMs()
      return [...table.members()]
        .map((member) => ({
          node: member.node,
          address: member.address,
          port: member.port,
          site: member.site,
          silentMs: nowMs - member.lastSeenMs,
          swarms: member.infoHashes.length,
          missing: member.missing,
        }))
        .sort((a, b) => (a.node < b.node ? -1 : 1))
    },

    stop() {
      timer?.cancel()
    },
  }
}
