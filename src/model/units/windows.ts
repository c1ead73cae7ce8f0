// Maintenance windows: how a policy writes them, and their form in a revision.

import * as v from 'valibot'
import { localTimesEntries, localTimesOf, writtenTimesEntries } from './local-times.ts'

export const windowSchema = v.strictObject({
  ...localTimesEntries,
  /**
   * With `wait`, drift is corrected inside the window only. Without it, drift is corrected at once.
   */
  drift: v.exactOptional(v.literal('wait')),
})
export type Window = v.InferOutput<typeof windowSchema>

/** A window as operators write it. */
export const policyWindowSchema = v.pipe(
  v.strictObject(
    {
      ...writtenTimesEntries,
      drift: v.exactOptional(
        v.pipe(
          v.picklist(['correct', 'wait'], 'expected correct or wait'),
          v.description('what somebody else changed is corrected at once (the default), or waits too'),
        ),
      ),
    },
    'expected days, from and until',
  ),
  v.check(({ from, until }) => from !== until, "begins and ends at the same time; a whole day is '00:00' to '24:00'"),
  v.description('when a node may change, in its own local time'),
)
export type PolicyWindow = v.InferOutput<typeof policyWindowSchema>

export function windowOf({ drift, ...written }: PolicyWindow): Window {
  return { ...localTimesOf(written), ...(drift === 'wait' && { drift }) }
}
