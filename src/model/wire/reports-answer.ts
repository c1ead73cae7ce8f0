// What a parent answers to a batch of reports: which of them it refused, and why.

import * as v from 'valibot'
import { limits } from '../limits.ts'
import { countSchema, instantSchema, lineSchema, nodeNameSchema } from '../names.ts'
import { parserOf } from '../parse.ts'

const refusedReportSchema = v.object({
  /** The place of the report in the batch. */
  index: countSchema,
  reason: lineSchema,
  /** `later`: the same report may be accepted some day. */
  retry: v.picklist(['later', 'never']),
})

export const memorySchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))

/** A parent of an earlier version answers the first field alone. */
export const reportsAnswerSchema = v.object({
  /** Of how many nodes the parent knows something newer now. */
  accepted: countSchema,
  refused: v.optional(v.pipe(v.array(refusedReportSchema), v.maxLength(limits.reportBatchMax)), []),
  /** Nodes whose newer reports reach the parent through another child by now. */
  moved: v.exactOptional(
    v.pipe(v.array(v.object({ node: nodeNameSchema, counter: countSchema })), v.maxLength(limits.movedToldMax)),
  ),
  /**
   * Another word than before says that the parent's database was damaged: what the parent knew of
   * the subtree may be gone.
   */
  memory: v.exactOptional(memorySchema),
  /** The parent's clock. */
  now: v.exactOptional(instantSchema),
})
export type ReportsAnswer = v.InferOutput<typeof reportsAnswerSchema>
export const parseReportsAnswer = parserOf(reportsAnswerSchema)
