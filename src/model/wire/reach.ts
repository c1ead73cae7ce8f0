// Whether a parent can reach a child: the child asks, and the parent dials it where it sees it.

import * as v from 'valibot'
import { lineSchema, portSchema } from '../names.ts'
import { parserOf } from '../parse.ts'

const reachSchema = v.strictObject({
  /** Where the parent sees the child. */
  address: lineSchema,
  /** The parent's own swarm port; 0 if it has none. */
  swarmPort: portSchema,
  /** Why the child's control port was dialled in vain; null if it was reached. */
  control: v.nullable(lineSchema),
  /** The same of its swarm port. */
  swarm: v.nullable(lineSchema),
})
export type ReachAnswer = v.InferOutput<typeof reachSchema>
export const parseReachAnswer = parserOf(reachSchema)
