// Maintenance windows: how they are written in a policy, and what a revision says of them.

import * as v from 'valibot'
import { localTimesEntries, localTimesOf, writtenTimesEntries } from './local-times.ts'

export const windowSchema = v.strictObject({
  ...localTimesEntries,
  /** What somebody else changed is corrected at once, unless that is to wait too. */
  drift: v.exactOptional(v.literal('wait')),
})
export type Window = v.InferOutput<typeof windowSchema>

/** As operators write it. */
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
