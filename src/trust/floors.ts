// Below what a node never goes again, kept apart from the metadata so that a damaged copy can be fetched anew without
// opening the way back to an old state.

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
  /** The highest signed time ever verified: no clock is slower than that. */
  signedAt: instantSchema,
  /**
   * The keys that could set the floors. When the owners replace them, the floors that they set are void (TUF 5.3.11):
   * a thief may have signed version 2^53 in the year 3000. Null means that the floors come from a token, and hold
   * whatever the keys are.
   */
  timestampKeys: v.nullable(v.string()),
  snapshotKeys: v.nullable(v.string()),
})
export type Floors = v.InferOutput<typeof floorSchema>
export const parseFloors = parserOf(floorSchema)

export const noFloors: Floors = floorsFrom({ timestampVersion: 0, signedAt: 0 })

/** From a token: nothing older than when it was made. */
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

/** The slowest that the clock can be while these keys sign the timestamp. */
export function clockFloorOf(floors: Floors, timestampKeys: string): Instant {
  return isSetBy(floors.timestampKeys, timestampKeys) ? floors.signedAt : 0
}

/** Which file lies below its floor, and by how much. */
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

/** After `verified`, which nothing in `floors` spoke against. */
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
