// What the daemon answers about its own machine: what differs, what an apply did, why a package is
// as it is.

import * as v from 'valibot'
import { kindSchema } from '../manifest.ts'
import { countSchema, instantSchema, packageNameSchema, packageVersionSchema } from '../names.ts'
import { outcomeSchema, transferSchema } from '../report.ts'

/** What an action does to one package. */
export const whatSchema = v.picklist(['install', 'upgrade', 'downgrade', 'reinstall', 'remove'])

const describedDifferenceSchema = v.object({
  name: packageNameSchema,
  kind: v.nullable(kindSchema),
  what: whatSchema,
  from: v.nullable(packageVersionSchema),
  to: v.nullable(packageVersionSchema),
  /**
   * `planned`: the next apply does it. `quarantined`: it failed and is left alone for a while.
   * `audit`: it is only reported.
   */
  state: v.picklist(['planned', 'waiting', 'held', 'quarantined', 'audit']),
  why: v.string(),
})

const describedUnreadSchema = v.object({
  name: packageNameSchema,
  kind: v.nullable(kindSchema),
  /** Null if nobody knows whether it is installed. */
  version: v.nullable(packageVersionSchema),
  why: v.string(),
})

/** How the machine compares with its desired state. */
export const checkSchema = v.object({
  /** The newest revision that this node trusts; null before the first. */
  revision: v.nullable(countSchema),
  converged: v.nullable(countSchema),
  /** Whether the machine was compared with that revision. */
  looked: v.boolean(),
  differences: v.array(describedDifferenceSchema),
  /** Packages that are installed in a newer version than wanted, and stay. */
  newer: v.exactOptional(
    v.array(v.object({ name: packageNameSchema, version: packageVersionSchema, why: v.string() })),
  ),
  /** The packages that nobody could look at. Absent if there is none. */
  unread: v.exactOptional(v.array(describedUnreadSchema)),
})

/** One line of an apply: how far it is, or, as the last line, what it did. */
export const applyLineSchema = v.object({
  progress: v.exactOptional(v.object({ applying: v.boolean(), ...checkSchema.entries })),
  outcomes: v.exactOptional(v.array(outcomeSchema)),
})
export type ApplyLine = v.InferOutput<typeof applyLineSchema>

/** Why a package is as it is on this node. */
export const whySchema = v.object({
  package: packageNameSchema,
  revision: v.nullable(countSchema),
  /** The desired version, or in words that there is none. */
  desired: v.string(),
  /** The line in policy.yaml of the rule that decides; null if no rule mentions the package. */
  line: v.nullable(countSchema),
  installed: v.nullable(v.string()),
  byBanyan: v.boolean(),
  difference: v.nullable(v.string()),
  /** How many bytes of the payload are here; null if no payload is on its way. */
  payload: v.nullable(v.object({ have: countSchema, size: countSchema, state: transferSchema.entries.state })),
  /** Whether the machine's administrator holds the package, so that nothing is done to it. */
  held: v.boolean(),
  /** What the difference waits for, and until when where that is known. */
  waits: v.nullable(v.object({ for: v.string(), until: v.nullable(instantSchema), detail: v.nullable(v.string()) })),
  /** What failed of late, and when it is tried again. */
  quarantine: v.nullable(v.object({ failures: countSchema, nextTry: instantSchema, because: v.string() })),
  reason: v.string(),
})

/** What a running node took on of its changed settings. */
export const reloadSchema = v.object({
  /** Keys of node.yaml that are newly in force. */
  changed: v.array(v.string()),
  /** Keys of node.yaml that wait for a restart of the daemon. */
  needRestart: v.array(v.string()),
})

/** Whether the clock of the root's machine was in doubt before a person confirmed it. */
export const clockSchema = v.object({ wasInDoubt: v.boolean() })
