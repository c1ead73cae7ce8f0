// The restarts in a plan, as they are written to disk.

import * as v from 'valibot'
import { packageNameSchema } from '../model/names.ts'
import { unitNameSchema } from '../model/restarts.ts'

/**
 * systemd's InvocationID of a unit's present run. A restart gives the unit another one. Empty for a
 * unit that never ran.
 */
export const invocationSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{0,32}$/))

export const plannedRestartSchema = v.strictObject({
  unit: unitNameSchema,
  /** The unit is restarted if the apply changes one of these packages. */
  packages: v.array(packageNameSchema),
  /**
   * Present if an earlier apply changed one of the unit's packages and ended before it restarted
   * the unit. `invocation` is the run that the restart was to end, or null if that restart had not
   * begun.
   */
  owed: v.exactOptional(v.strictObject({ invocation: v.nullable(invocationSchema) })),
})
export type PlannedRestart = v.InferOutput<typeof plannedRestartSchema>
