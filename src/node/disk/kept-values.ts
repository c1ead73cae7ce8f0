// Which values of the database are kept a second time, and what holds where the two copies differ.
// The plain copy is written first, so it is never older than the database, unless somebody put back
// an old file. Pure.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant } from '../../model/names.ts'
import { parseInstalledRecords } from '../../reconcile/actual.ts'
import { keyOf } from '../../reconcile/differences.ts'
import { parseKeptRestarts } from '../../reconcile/restarts.ts'

/** `undefined` stands for a copy that is not there. */
type Merge = (copy: unknown, stored: unknown) => unknown

/** By key. What is not here can be had again: from the disk, the parent, the children, or the machine. */
export const keptValues: Readonly<Record<string, Merge>> = {
  // A record too many is forgotten at the next look; for one too few, a package stays for ever.
  records: union(parseInstalledRecords, ({ kind, name }) => keyOf(kind, name)),
  restarts: union(parseKeptRestarts, ({ unit }) => unit),
  quarantine: copyFirst,
  remembered: copyFirst,
}

/** The rooms whose values are kept a second time, all in one file. */
export const keptRooms = ['rollouts'] as const

export const counterKey = 'report-counter'

/** The copy of a counter is not written for each report: it says below which numbers all may be used. */
export interface KeptCounter {
  /** The counter when the copy was written. */
  used: number
  /** No counter above this one was used since. */
  below: number
}

/**
 * The copy after a report with this counter; the same copy if it need not be written. A counter
 * that is ahead of the clock, after damage or because the clock went back, is copied as it is: no
 * clock says how far it got.
 */
export function keptCounterAfter(copy: KeptCounter, value: number, now: Instant): KeptCounter {
  if (value > now) return value > copy.used ? { used: value, below: Math.max(value, copy.below) } : copy
  return value > copy.below ? { used: value, below: value + limits.counterAheadKept } : copy
}

/**
 * The counter to go on above. The bound counts once the database cannot be relied on: it was
 * damaged, or is older than its copy.
 */
export function counterAfter(copy: KeptCounter | null, stored: unknown, isDamaged: boolean): number | undefined {
  const known = typeof stored === 'number' ? stored : undefined
  if (copy === null) return known
  if (known === undefined || isDamaged || known < copy.used) return Math.max(known ?? 0, copy.below)
  return known
}

function copyFirst(copy: unknown, stored: unknown): unknown {
  return copy ?? stored
}

function union<T>(parse: (input: unknown, where: string) => T[], identity: (each: T) => string): Merge {
  const parsed = (value: unknown): T[] | undefined => {
    try {
      return value === undefined ? undefined : parse(value, 'copy')
    } catch (error) {
      if (error instanceof Failure) return undefined
      throw error
    }
  }
  return (copy, stored) => {
    const [ours, others] = [parsed(copy), parsed(stored)]
    if (ours === undefined) return stored
    const all = new Map([...(others ?? []), ...ours].map((each) => [identity(each), each]))
    return [...all.values()].sort((a, b) => (identity(a) < identity(b) ? -1 : 1))
  }
}
