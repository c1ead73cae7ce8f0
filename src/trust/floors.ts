// The versions and the time below which a node never goes again. They are stored apart from the
// metadata: a damaged copy can be fetched anew without letting a parent offer an old state.

import * as v from 'valibot'
import { countSchema, type Instant, instantSchema } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import type { Role } from './metadata.ts'
import type { Verified } from './tuf-client.ts'

const floorSchema = v.strictObject({
  root: countSchema,
  timestamp: countSchema,
  snapshot: countSchema,
  targets: countSchema,
  rollouts: countSchema,
  /** The highest signed time ever verified. The real time is never earlier. */
  signedAt: instantSchema,
  /**
   * Ids of the timestamp keys that set the floors. When the owners replace these keys, the floors
   * are void (TUF 5.3.11): a thief may have signed version 2^53 in the year 3000. Null means that
   * the floors come from a token, and hold for any keys.
   */
  timestampKeys: v.nullable(v.string()),
  /** The same for the snapshot keys. */
  snapshotKeys: v.nullable(v.string()),
})
export type Floors = v.InferOutput<typeof floorSchema>
export const parseFloors = parserOf(floorSchema)

export const noFloors: Floors = floorsFrom({ timestampVersion: 0, signedAt: 0 })

/** The floors from a token: nothing older than the token itself. */
export function floorsFrom({ timestampVersion, signedAt }: { timestampVersion: number; signedAt: Instant }): Floors {
  return {
    root: 1,
    timestamp: timestampVersion,
    snapshot: 0,
    targets: 0,
    rollouts: 0,
    signedAt,
    timestampKeys: null,
    snapshotKeys: null,
  }
}

/** The earliest time that it can be while these keys sign the timestamp. */
export function clockFloorOf(floors: Floors, timestampKeys: string): Instant {
  return isSetBy(floors.timestampKeys, timestampKeys) ? floors.signedAt : 0
}

/**
 * The first role whose file is below its floor. Undefined if all files are at or above their
 * floors.
 */
export function fallBelow(
  floors: Floors,
  { versions, keys }: Pick<Verified, 'versions' | 'keys'>,
): { role: Role; version: number; floor: number } | undefined {
  const held: Role[] = ['root']
  if (isSetBy(floors.timestampKeys, keys.timestamp)) held.push('timestamp')
  if (isSetBy(floors.snapshotKeys, keys.snapshot)) held.push('snapshot', 'targets', 'rollouts')
  const role = held.find((each) => versions[each] < floors[each])
  return role && { role, version: versions[role], floor: floors[role] }
}

/** The floors after metadata that is not below the present ones. */
export function floorsAfter(floors: Floors, { versions, keys, signedAt }: Verified): Floors {
  return {
    ...versions,
    signedAt: Math.max(clockFloorOf(floors, keys.timestamp), signedAt),
    timestampKeys: keys.timestamp,
    snapshotKeys: keys.snapshot,
  }
}

function isSetBy(setters: string | null, keys: string): boolean {
  return setters === null || setters === keys
}
