// Whether the fleet trusts newer metadata than this root has signed: then the root was restored from
// an older copy, and whatever it signs next would be refused as a rollback. Each child says with
// every request for news which version it trusts.

import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Clock } from '../world/world.ts'
import { createVoices } from './voices.ts'

export interface Ahead {
  /** The highest version of the timestamp that a child trusts. */
  version: number
  /** The highest that this root has signed. */
  signed: number
  /** Children that trust a newer version, and all that have called. */
  agree: number
  voices: number
  /** A child has sent metadata of that version, signed with the fleet's keys. */
  isProven?: true
}

export interface VersionsHeard {
  /** The version of the timestamp that a node trusts. */
  heard(node: NodeName, version: number): void
  /**
   * Null unless more than half of the children trust something newer than `signed`: one that lies
   * does not hold the root up.
   */
  ahead(signed: number): Ahead | null
  /** What this child said last; 0 if it has not called. */
  of(node: NodeName): number
  /** How many children trust something newer than `signed`, and how many have called. */
  counts(signed: number): { agree: number; voices: number }
}

export function createVersionsHeard(clock: Pick<Clock, 'monotonicMs'>): VersionsHeard {
  const voices = createVoices<number>(clock)
  const newerThan = (signed: number) => voices.recent().filter((version) => version > signed)
  const counts = (signed: number) => ({ agree: newerThan(signed).length, voices: voices.recent().length })
  return {
    heard: voices.heard,
    ahead(signed) {
      const { agree, voices } = counts(signed)
      if (2 * agree <= voices) return null
      const version = Math.min(Math.max(...newerThan(signed)), signed + limits.recoverJumpMax)
      return { version, signed, agree, voices }
    },
    of: (node) => voices.of(node) ?? 0,
    counts,
  }
}

/** For a person. */
export function aheadText({ version, signed, agree, voices }: Ahead): string {
  return (
    `${agree} of ${voices} children trust version ${version} of the signed metadata, and this root has signed ` +
    `${signed} at most: it was restored from an older copy`
  )
}
