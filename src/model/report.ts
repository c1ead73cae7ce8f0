// What a node says about itself, and the envelope it says it in.

import * as v from 'valibot'
import { limits } from './limits.ts'
import { kindSchema } from './manifest.ts'
import {
  archSchema,
  atMost,
  countSchema,
  infoHashSchema,
  instantSchema,
  labelsSchema,
  lineSchema,
  nodeNameSchema,
  packageNameSchema,
  packageVersionSchema,
  wordSchema,
} from './names.ts'
import { parserOf } from './parse.ts'
import { machineNeedsSchema, restartSchema } from './restarts.ts'

/** What became of one package in the last look at the machine. */
export const outcomeSchema = v.strictObject({
  name: packageNameSchema,
  /** Null for a package that only has to be absent. */
  kind: v.nullable(kindSchema),
  outcome: v.picklist(['kept', 'changed', 'failed', 'skipped', 'held']),
  /** The version there afterwards, as the package database says; null if it is not installed. */
  version: v.nullable(packageVersionSchema),
  /** The version there before. */
  before: v.nullable(packageVersionSchema),
  /** Why it had to change: the revision moved, or somebody else moved the machine. */
  difference: v.nullable(v.picklist(['pending', 'drift'])),
  /** One line that a person can act on; what was found, or what failed. */
  detail: v.exactOptional(v.pipe(v.string(), v.maxLength(4096))),
  /** How often in a row it failed, and when it is tried again: until then it is left alone. */
  quarantine: v.exactOptional(v.strictObject({ failures: countSchema, nextTry: instantSchema })),
})
export type Outcome = v.InferOutput<typeof outcomeSchema>

export const attackSchema = v.strictObject({
  kind: v.picklist([
    'metadata-forged', // a signature or digest below the TUF root that does not hold
    'rolled-back', // older metadata than was trusted before
    'frozen', // metadata whose signed life is over
    'object-forged', // bytes that do not have the digest they were asked by
    'piece-poisoned',
    'payload-forged', // all pieces fit, the payload's SHA-256 does not
    'report-forged',
    'report-replayed',
    'stranger', // somebody without a certificate of this fleet
  ]),
  /** Node or address that it came from. */
  from: lineSchema,
  at: instantSchema,
  detail: v.pipe(v.string(), v.maxLength(1024)),
})
export type Attack = v.InferOutput<typeof attackSchema>

export const transferSchema = v.strictObject({
  infoHash: infoHashSchema,
  name: packageNameSchema,
  version: packageVersionSchema,
  size: countSchema,
  /** Bytes of verified pieces here. */
  have: countSchema,
  /** `waiting`: nobody who can be reached has what is missing. */
  state: v.picklist(['wanted', 'fetching', 'waiting', 'complete', 'failed']),
  /** Piece bytes taken from each side since the holding was first wanted, kept over restarts. */
  fromParent: countSchema,
  fromSiblings: countSchema,
  /** Bytes that came in from other sites with everything that travels along (TLS, protocol). */
  overLink: countSchema,
  /** Piece bytes given out. */
  given: countSchema,
  startedAt: v.nullable(instantSchema),
  completedAt: v.nullable(instantSchema),
  /** Bytes per second that the link of its site could bring when it was complete, where that is known. */
  linkRate: v.exactOptional(countSchema),
})
export type Transfer = v.InferOutput<typeof transferSchema>

export const reportSchema = v.strictObject({
  schema: v.literal(1),
  node: nodeNameSchema,
  /** Grows with every report of this node; a lower or equal one is a replay. */
  counter: countSchema,
  at: instantSchema,
  version: lineSchema,
  site: v.nullable(wordSchema),
  labels: v.pipe(atMost(limits.labelsMax, 'labels'), labelsSchema),
  /** The node it pulls from now; null at the root. */
  parent: v.nullable(nodeNameSchema),
  /** The newest revision it trusts, and the newest one it had no difference to. */
  revision: v.nullable(countSchema),
  converged: v.nullable(countSchema),
  state: v.picklist(['converged', 'pending', 'applying', 'failed', 'island', 'stale']),
  packages: v.pipe(v.array(outcomeSchema), v.maxLength(limits.policyPackagesMax)),
  /** How many more packages the node has, left out of `packages` to keep within the limits; absent if none is left out. */
  truncated: v.exactOptional(countSchema),
  transfers: v.array(transferSchema),
  attacks: v.pipe(v.array(attackSchema), v.maxLength(limits.attacksKept)),
  arch: archSchema,
  facts: v.pipe(
    atMost(limits.reportFactsMax, 'facts'),
    v.record(lineSchema, v.union([lineSchema, v.number(), v.boolean()])),
  ),
  /** What the machine needs beside packages; absent if nobody knows. */
  needs: v.exactOptional(machineNeedsSchema),
  /** Restarts that the policy asked for: the last of each unit. */
  restarts: v.exactOptional(v.pipe(v.array(restartSchema), v.maxLength(limits.restartsKept))),
  /** Of the last apply, if something failed in it: the last of what the programs printed. */
  output: v.exactOptional(v.pipe(v.string(), v.maxLength(limits.reportOutputMaxChars))),
  /** Sentences for a person: what is wrong right now. */
  problems: v.array(v.pipe(v.string(), v.maxLength(1024))),
})
export type Report = v.InferOutput<typeof reportSchema>
export const parseReport = parserOf(reportSchema)

/** DSSE v1: what is signed is `DSSEv1 <len> <payloadType> <len> <payload>`. */
export const envelopeSchema = v.strictObject({
  payloadType: lineSchema,
  payload: v.pipe(v.string(), v.maxLength(limits.reportMaxBytes * 2)),
  signatures: v.pipe(
    v.array(v.strictObject({ keyid: lineSchema, sig: v.pipe(v.string(), v.maxLength(128)) })),
    v.minLength(1),
    v.maxLength(1),
  ),
})
export type Envelope = v.InferOutput<typeof envelopeSchema>

/** A batch of signed reports of a subtree, with the certificates (base64 DER, by key id) that their signatures need. */
export const reportBatchSchema = v.strictObject({
  reports: v.pipe(v.array(envelopeSchema), v.maxLength(limits.reportBatchMax)),
  certificates: v.pipe(
    atMost(limits.reportBatchMax, 'certificates'),
    v.record(lineSchema, v.pipe(v.string(), v.maxLength(4096))),
  ),
})
export type ReportBatch = v.InferOutput<typeof reportBatchSchema>
export const parseReportBatch = parserOf(reportBatchSchema)
