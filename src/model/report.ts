// What a node reports about itself, and the signed envelope that carries a report.

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
import { machineSchema } from './wire/sightings.ts'

/** The state of one package after the last look at the machine. */
export const outcomeSchema = v.strictObject({
  name: packageNameSchema,
  /** Null for a package that only has to be absent. */
  kind: v.nullable(kindSchema),
  /**
   * newer: a version that is newer than wanted was found, and is kept. unread: nobody knows whether
   * the package is as it should be; `detail` says why.
   */
  outcome: v.picklist(['kept', 'newer', 'changed', 'failed', 'skipped', 'held', 'unread']),
  /**
   * The version that is installed now, by the package database; null if none is, or for an unread
   * package if nobody knows.
   */
  version: v.nullable(packageVersionSchema),
  /** The version that was installed before. */
  before: v.nullable(packageVersionSchema),
  /** Why the package had to change: the revision is new, or somebody else changed the machine. */
  difference: v.nullable(v.picklist(['pending', 'drift'])),
  /** One line that a person can act on: what was found, or what failed. */
  detail: v.exactOptional(v.pipe(v.string(), v.maxLength(4096))),
  /**
   * How often in a row the package failed, and when it is tried again. Until then it is left alone.
   */
  quarantine: v.exactOptional(v.strictObject({ failures: countSchema, nextTry: instantSchema })),
})
export type Outcome = v.InferOutput<typeof outcomeSchema>

const attackSchema = v.strictObject({
  kind: v.picklist([
    'metadata-forged', // a signature or digest below the TUF root that does not hold
    'rolled-back', // older metadata than was trusted before
    'frozen', // nothing newer than metadata whose signed life is over, while another parent has it
    'object-forged', // bytes that do not have the digest they were asked by
    'piece-poisoned',
    'payload-forged', // all pieces fit, the payload's SHA-256 does not
    'report-forged',
    'report-replayed',
    'wrong-parent', // another node at the address of the parent
    'stranger', // somebody without a certificate of this fleet
  ]),
  /** Name or address of the node that the attack came from. */
  from: lineSchema,
  /** When it was seen last. */
  at: instantSchema,
  /** When the same was seen first, and how often it was noted; absent for once. */
  first: v.exactOptional(instantSchema),
  count: v.exactOptional(countSchema),
  detail: v.pipe(v.string(), v.maxLength(1024)),
})
export type Attack = v.InferOutput<typeof attackSchema>

/** A node whose reports are refused, told by the node that refuses them. */
const refusalSchema = v.strictObject({
  node: nodeNameSchema,
  reason: lineSchema,
  /** When it was first refused, and when last, by the clock of the node that refuses. */
  first: instantSchema,
  last: instantSchema,
  count: countSchema,
})
export type Refusal = v.InferOutput<typeof refusalSchema>

export const transferSchema = v.strictObject({
  infoHash: infoHashSchema,
  name: packageNameSchema,
  version: packageVersionSchema,
  size: countSchema,
  /** Bytes of verified pieces on this node. */
  have: countSchema,
  /** `waiting`: no reachable peer has what is missing. */
  state: v.picklist(['wanted', 'fetching', 'waiting', 'complete', 'failed']),
  /**
   * Piece bytes received from the parent since the holding was first wanted. Kept over restarts,
   * like the next two.
   */
  fromParent: countSchema,
  /** Piece bytes received from siblings. */
  fromSiblings: countSchema,
  /** Bytes received from other sites, including TLS and protocol. */
  overLink: countSchema,
  /** Piece bytes sent to others. */
  given: countSchema,
  startedAt: v.nullable(instantSchema),
  completedAt: v.nullable(instantSchema),
  /**
   * Bytes per second that the link of the node's site could carry when the transfer completed,
   * where that is known.
   */
  linkRate: v.exactOptional(countSchema),
})
export type Transfer = v.InferOutput<typeof transferSchema>

export const reportSchema = v.strictObject({
  schema: v.literal(1),
  node: nodeNameSchema,
  /** Grows with every report of this node. A report with a lower or equal counter is a replay. */
  counter: countSchema,
  at: instantSchema,
  version: lineSchema,
  site: v.nullable(wordSchema),
  /**
   * Present if the settings name no site and `site` is where the parent's tracker sees the node. The
   * policy's groups do not select by such a site.
   */
  siteIsSeen: v.exactOptional(v.literal(true)),
  labels: v.pipe(atMost(limits.labelsMax, 'labels'), labelsSchema),
  /** The node from which this one pulls now; null at the root. */
  parent: v.nullable(nodeNameSchema),
  /** Number of the newest revision that the node trusts. */
  revision: v.nullable(countSchema),
  /** Number of the newest revision from which the node had no difference. */
  converged: v.nullable(countSchema),
  state: v.picklist(['converged', 'pending', 'applying', 'failed', 'island', 'stale']),
  packages: v.pipe(v.array(outcomeSchema), v.maxLength(limits.policyPackagesMax)),
  /**
   * How many more packages the node has, left out of `packages` to keep within the limits; absent
   * if none is left out.
   */
  truncated: v.exactOptional(countSchema),
  transfers: v.array(transferSchema),
  attacks: v.pipe(v.array(attackSchema), v.maxLength(limits.attacksKept)),
  /** The newest refusals, of reports that this node did not accept from its subtree. */
  refusals: v.exactOptional(v.pipe(v.array(refusalSchema), v.maxLength(limits.refusalsKept))),
  /** How far the machine's clock is ahead of the parent's. Absent while they agree. */
  clockAheadMs: v.exactOptional(v.pipe(v.number(), v.safeInteger())),
  arch: archSchema,
  facts: v.pipe(
    atMost(limits.reportFactsMax, 'facts'),
    v.record(lineSchema, v.union([lineSchema, v.number(), v.boolean()])),
  ),
  /** What the machine needs beside packages. Absent if that is unknown. */
  needs: v.exactOptional(machineNeedsSchema),
  /** Restarts that the policy asked for: the last one of each unit. */
  restarts: v.exactOptional(v.pipe(v.array(restartSchema), v.maxLength(limits.restartsKept))),
  /** The end of what programs printed in the last apply, if something failed in it. */
  output: v.exactOptional(v.pipe(v.string(), v.maxLength(limits.reportOutputMaxChars))),
  /** What machine the node runs on. */
  machine: v.exactOptional(machineSchema),
  /** The node could not store this report, and sent it from memory. Its parent may know no other. */
  unsaved: v.exactOptional(v.literal(true)),
  /** What is wrong right now, in sentences for a person. */
  problems: v.array(v.pipe(v.string(), v.maxLength(1024))),
})
export type Report = v.InferOutput<typeof reportSchema>
export const parseReport = parserOf(reportSchema)

/** The site by which the policy knows the node; empty without one in the node's settings. Pure. */
export function policySiteOf({ site, siteIsSeen }: Pick<Report, 'site' | 'siteIsSeen'>): string {
  return siteIsSeen ? '' : (site ?? '')
}

/** DSSE v1. The signature is over `DSSEv1 <len> <payloadType> <len> <payload>`. */
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

/**
 * Signed reports of a subtree, with the certificates (base64 DER, by key id) that verify their
 * signatures.
 */
const reportBatchSchema = v.strictObject({
  reports: v.pipe(v.array(envelopeSchema), v.maxLength(limits.reportBatchMax)),
  certificates: v.pipe(
    atMost(limits.reportBatchMax, 'certificates'),
    v.record(lineSchema, v.pipe(v.string(), v.maxLength(4096))),
  ),
})
export type ReportBatch = v.InferOutput<typeof reportBatchSchema>
export const parseReportBatch = parserOf(reportBatchSchema)
