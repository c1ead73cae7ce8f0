// What the calls of the local API take, beside a name in their path.

import * as v from 'valibot'
import { limits } from '../limits.ts'
import { lineSchema, nodeNameSchema, packageVersionSchema, publishedNameSchema, sha256Schema } from '../names.ts'
import { targetSchema } from '../packages/target-schema.ts'
import { parserOf } from '../parse.ts'
import { parentUrlSchema } from '../settings.ts'

const revisionNumberSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1))

const publishSchema = v.strictObject({
  /** Absolute path of a package file or a directory, which the daemon reads. */
  path: v.string(),
  name: v.exactOptional(publishedNameSchema),
  version: v.exactOptional(packageVersionSchema),
  /** The machines that the package is for. */
  target: v.exactOptional(targetSchema),
})

const releaseSchema = v.strictObject({
  message: lineSchema,
  /** Whether a large share of what is installed may be removed. */
  allowRemovals: v.boolean(),
  /** Whether packages may need what nodes would not have. */
  allowMissing: v.optional(v.boolean(), false),
})

const rollbackSchema = v.strictObject({
  revision: revisionNumberSchema,
  message: lineSchema,
  allowRemovals: v.boolean(),
})

const rollbackPlanSchema = v.strictObject({ revision: revisionNumberSchema })

const diffSchema = v.strictObject({ from: revisionNumberSchema, to: revisionNumberSchema })

const steeringSchema = v.strictObject({
  /**
   * `careful@12`, or the name of a rollout or a package where only one rollout of it is under way.
   */
  rollout: lineSchema,
  action: v.picklist(['halt', 'resume', 'advance']),
  /** Why the rollout is halted. */
  because: v.exactOptional(lineSchema),
})

const dayMs = 24 * 3600_000

const tokenRequestSchema = v.strictObject({
  /** How long the token can be used. */
  ttlMs: v.pipe(v.number(), v.integer(), v.minValue(1000), v.maxValue(365 * dayMs)),
  /** How many nodes may join with it. */
  uses: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(limits.tokenUsesMax)),
  /** The parents to join below; the root if absent. */
  parents: v.exactOptional(v.pipe(v.array(parentUrlSchema), v.minLength(1), v.maxLength(16))),
  /** The node whose name is for whoever joins with it. */
  replaces: v.exactOptional(nodeNameSchema),
})

const identityRequestSchema = v.strictObject({
  /** The key of the identity that lies in the home and is to be taken. */
  keyId: sha256Schema,
})

/** By call. Each parser throws a `bad-input` Failure whose message begins with the command. */
export const bodyParsers = {
  'POST /publish': bodyParser('publish', publishSchema),
  'POST /release': bodyParser('release', releaseSchema),
  'POST /rollback': bodyParser('rollback', rollbackSchema),
  'POST /rollback/plan': bodyParser('rollback', rollbackPlanSchema),
  'POST /diff': bodyParser('diff', diffSchema),
  'POST /rollouts': bodyParser('rollout', steeringSchema),
  'POST /tokens': bodyParser('token create', tokenRequestSchema),
  'POST /identity': bodyParser('join --again', identityRequestSchema),
}

/** The calls that take a body. */
export type CallWithBody = keyof typeof bodyParsers
export type BodyOf<Call extends CallWithBody> = ReturnType<(typeof bodyParsers)[Call]>

/**
 * Which build of a package `GET /torrents/:name` means; both are needed only where several builds
 * fit.
 */
export interface TorrentQuery {
  version?: string | undefined
  arch?: string | undefined
  /** The text of its target, `os.codename=bookworm`. */
  target?: string | undefined
}

function bodyParser<T>(command: string, schema: v.GenericSchema<unknown, T>): (body: unknown) => T {
  const parse = parserOf(schema)
  return (body) => parse(body, command)
}
