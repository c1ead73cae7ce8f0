// When a machine gives nothing to others, because people work on it or pay for its traffic. Pure.

import * as v from 'valibot'

const numberMessage = 'expected a load per processor such as 1.5'
/** Policies are read as text. Settings have numbers and booleans, and so has an editor. */
const loadSchema = v.union(
  [v.pipe(v.number(), v.minValue(0)), v.pipe(v.string(), v.regex(/^\d{1,4}(\.\d{1,4})?$/, numberMessage))],
  numberMessage,
)
const yesSchema = v.union([v.picklist(['true', 'false']), v.boolean()], 'expected true or false')

export const uploadGuardEntries = {
  uploadLoadMax: v.exactOptional(
    v.pipe(
      loadSchema,
      v.description('above this load of each processor (one minute) the node gives nothing, e.g. 1.5'),
    ),
  ),
  uploadOnBattery: v.exactOptional(
    v.pipe(yesSchema, v.description('false: the node gives nothing while it runs on its battery')),
  ),
  metered: v.exactOptional(v.pipe(yesSchema, v.description('true: its traffic is paid for, and it gives nothing'))),
}
const uploadGuardSchema = v.object(uploadGuardEntries)
export type UploadGuard = v.InferOutput<typeof uploadGuardSchema>

/** Null where the machine does not say. An unknown value keeps nothing back. */
export interface UploadFacts {
  /** Load average of the last minute, divided by the number of processors. */
  load: number | null
  onBattery: boolean | null
}

/** Whether these settings need the facts of the machine. */
export function asksTheMachine({ uploadLoadMax, uploadOnBattery }: UploadGuard): boolean {
  return uploadLoadMax !== undefined || isNo(uploadOnBattery)
}

/**
 * Why nothing is given now; null if the node may give. Once the load was too high, it has to fall
 * well below its limit before the node gives again.
 */
export function uploadHeldBack(facts: UploadFacts, guard: UploadGuard, wasHeldBack: boolean): string | null {
  if (String(guard.metered) === 'true') return 'its traffic is metered'
  if (isNo(guard.uploadOnBattery) && facts.onBattery === true) return 'it runs on its battery'
  const loadMax = guard.uploadLoadMax === undefined ? null : Number(guard.uploadLoadMax)
  if (loadMax === null || facts.load === null) return null
  const limit = wasHeldBack ? loadMax * resumeShare : loadMax
  return facts.load > limit ? `its load is ${facts.load.toFixed(2)} for each processor, over ${loadMax}` : null
}

const resumeShare = 0.8

function isNo(value: string | boolean | undefined): boolean {
  return String(value) === 'false'
}
