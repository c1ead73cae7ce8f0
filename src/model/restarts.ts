// Restarts of services that a policy asks for after a change, and what else a machine needs before
// it runs the installed versions.

import * as v from 'valibot'
import { limits } from './limits.ts'
import { instantSchema } from './names.ts'

/** As systemd.unit(5) defines it, without templates that name no instance. */
export const unitNameSchema = v.pipe(
  v.string('expected a unit such as nginx.service'),
  v.maxLength(255),
  v.regex(
    /^[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\-]*(@[A-Za-z0-9:_.\\-]+)?\.(service|socket|timer|path|target|mount)$/,
    'expected a unit such as nginx.service',
  ),
)
export type UnitName = v.InferOutput<typeof unitNameSchema>

export const restartSchema = v.strictObject({
  unit: unitNameSchema,
  /**
   * `owed`: a package of the unit's rule has changed. `skipped`: there is nothing to restart here.
   * `failed`: the restart is not tried again by itself.
   */
  state: v.picklist(['owed', 'done', 'failed', 'skipped']),
  at: instantSchema,
  detail: v.exactOptional(v.pipe(v.string(), v.maxLength(limits.reportTextMaxChars))),
})
/** The last restart of a unit. */
export type Restart = v.InferOutput<typeof restartSchema>

export const machineNeedsSchema = v.strictObject({
  /** Why the machine needs a reboot; null if it needs none. */
  reboot: v.nullable(v.pipe(v.string(), v.maxLength(limits.textMaxChars))),
  /** Units whose processes run from files that no longer exist, sorted. */
  restarts: v.pipe(v.array(v.pipe(v.string(), v.maxLength(255))), v.maxLength(limits.unitsNamedMax)),
})
export type MachineNeeds = v.InferOutput<typeof machineNeedsSchema>
