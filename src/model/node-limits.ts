// How much of its link, its disk and its machine a node may use. Its own settings say so, and the
// policy for groups of nodes.

import * as v from 'valibot'
import { limits } from './limits.ts'
import { countSchema, wordSchema } from './names.ts'
import { durationSchema } from './units/durations.ts'
import { bandwidthEntries } from './units/rates.ts'
import { sizeSchema } from './units/sizes.ts'
import { uploadGuardEntries } from './upload-guard.ts'

/** The keys in `node.yaml`, and in each entry of `limits:` in the policy. */
export const nodeLimitsEntries = {
  ...bandwidthEntries,
  ...uploadGuardEntries,
  storeQuota: v.exactOptional(
    v.pipe(sizeSchema, v.description('what payloads and small objects may take on the disk, e.g. 50GB')),
  ),
  diskReserve: v.exactOptional(v.pipe(sizeSchema, v.description('what is left free on the disk in any case'))),
  scrub: v.exactOptional(
    v.pipe(
      v.union([v.literal('off'), durationSchema]),
      v.description('how often each stored payload is read from the disk and checked, e.g. 30d; or off'),
    ),
  ),
}
const nodeLimitsSchema = v.object(nodeLimitsEntries)
export type NodeLimits = v.InferOutput<typeof nodeLimitsSchema>

/** An entry of `limits:` as a revision has it. */
const groupLimitsSchema = v.strictObject({
  /** Line of the entry in policy.yaml. */
  line: countSchema,
  nodes: v.union([v.literal('all'), v.array(wordSchema)]),
  except: v.array(wordSchema),
  ...nodeLimitsEntries,
})
export type GroupLimits = v.InferOutput<typeof groupLimitsSchema>
export const revisionLimitsSchema = v.pipe(v.array(groupLimitsSchema), v.maxLength(limits.policyLimitsMax))

/** The entries of the policy for a node in these groups, in the order of the policy. */
export function limitsForGroups(all: readonly GroupLimits[], groups: ReadonlySet<string>): NodeLimits[] {
  return all
    .filter(({ nodes, except }) => {
      return (nodes === 'all' || nodes.some((group) => groups.has(group))) && !except.some((group) => groups.has(group))
    })
    .map(({ line: _line, nodes: _nodes, except: _except, ...own }) => own)
}

export interface LimitsInForce extends Omit<NodeLimits, keyof typeof bandwidthEntries> {
  /** Later layers win, key by key. */
  bandwidth: readonly NodeLimits[]
}

/**
 * Key by key, the last entry of the policy wins, and the node's own settings win over the policy.
 */
export function limitsInForce(policy: readonly NodeLimits[], own: NodeLimits): LimitsInForce {
  const bandwidth = [...policy, own]
  const { storeQuota, diskReserve, scrub, uploadLoadMax, uploadOnBattery, metered } = Object.assign(
    {},
    ...bandwidth,
  ) as NodeLimits
  return {
    bandwidth,
    ...(storeQuota !== undefined && { storeQuota }),
    ...(diskReserve !== undefined && { diskReserve }),
    ...(scrub !== undefined && { scrub }),
    ...(uploadLoadMax !== undefined && { uploadLoadMax }),
    ...(uploadOnBattery !== undefined && { uploadOnBattery }),
    ...(metered !== undefined && { metered }),
  }
}
