// What a root's daemon answers about releases: planned, signed and past.

import * as v from 'valibot'
import {
  countSchema,
  instantSchema,
  nodeNameSchema,
  packageNameSchema,
  packageVersionSchema,
  wordSchema,
} from '../names.ts'
import { whatSchema } from './machine.ts'

const plannedChangeSchema = v.object({
  name: packageNameSchema,
  what: whatSchema,
  from: v.nullable(packageVersionSchema),
  to: v.nullable(packageVersionSchema),
  /** `audit`: it would be reported, and nothing would be done. */
  state: v.picklist(['planned', 'held', 'audit']),
  /** The machines that the build is for, if it is for few: `os.codename=bookworm`. */
  target: v.exactOptional(v.string()),
  nodes: v.array(nodeNameSchema),
})

/** What crosses the link of one site, and about how long that takes. */
const plannedTrafficSchema = v.object({
  /** Null stands for the nodes whose site is not known. */
  site: v.nullable(wordSchema),
  /** How many of the site's nodes would change. */
  changing: countSchema,
  /** How many packages would cross the link. */
  packages: countSchema,
  bytes: countSchema,
  /** Bytes per second, the best that was observed on this link; null if nothing was. */
  observedRate: v.nullable(v.number()),
  /** `bytes / observedRate`. */
  seconds: v.nullable(v.number()),
})

/** Something that a package needs and that nodes would not have. */
const unmetSchema = v.object({
  package: packageNameSchema,
  version: packageVersionSchema,
  /** In the package's own words: `libfoo (>= 2) | libbar`. */
  needs: v.string(),
  /** The line in policy.yaml of the rule that wants the package. */
  line: countSchema,
  /** The groups that this rule is for. */
  rule: v.object({ nodes: v.union([v.literal('all'), v.array(wordSchema)]), except: v.array(wordSchema) }),
  /** How many known nodes would lack it. */
  count: countSchema,
  /** The first of these nodes. */
  nodes: v.array(nodeNameSchema),
  /** `unknown`: there is no list of what the distribution of these nodes brings along. */
  state: v.picklist(['missing', 'unknown']),
  /** The package of the repository that would bring it. */
  published: v.nullable(packageNameSchema),
})

const packageOnNodesSchema = v.object({ name: packageNameSchema, nodes: countSchema })

/** What releasing a policy, or rolling back to a revision, would change. */
export const planSchema = v.object({
  /** The number that the release would have. */
  revision: countSchema,
  /** The number of the newest released revision; null before the first. */
  before: v.nullable(countSchema),
  /** How many nodes are known. */
  nodes: countSchema,
  /** How many of them would change. */
  changing: countSchema,
  /** Sorted by package. */
  changes: v.array(plannedChangeSchema),
  sites: v.array(plannedTrafficSchema),
  /**
   * Package installations, and how many of them would go; `refused` unless removals are allowed.
   */
  removals: v.object({ installed: countSchema, removed: countSchema, refused: v.boolean() }),
  unmet: v.array(unmetSchema),
  /** What the reports do not show. */
  unknown: v.object({
    /** Nodes that are counted as they last reported. */
    silent: v.array(nodeNameSchema),
    /** Nodes that have not reported on the revision before. */
    behind: v.array(nodeNameSchema),
    /** Nodes that have more packages than their report lists. */
    cut: v.array(nodeNameSchema),
    /** Packages to be removed, where a node has not reported whether it has them. */
    absent: v.array(packageOnNodesSchema),
    /** Packages without a build for a node. */
    unbuilt: v.array(packageOnNodesSchema),
  }),
  /** What compiling the policy warned of. */
  warnings: v.array(v.string()),
})
export type Plan = v.InferOutput<typeof planSchema>

const releasedSchema = v.object({ number: countSchema, packages: countSchema, warnings: v.array(v.string()) })
export type Released = v.InferOutput<typeof releasedSchema>

/**
 * One line of a release or rollback: a step, or, as the last line, the revision that was released.
 */
export const releaseLineSchema = v.object({
  step: v.exactOptional(v.string()),
  released: v.exactOptional(releasedSchema),
})
export type ReleaseLine = v.InferOutput<typeof releaseLineSchema>

const packageChangeSchema = v.object({
  name: packageNameSchema,
  /**
   * The versions that the earlier revision wants, `absent` among them; none if no rule mentions the
   * package.
   */
  from: v.array(v.string()),
  /** The versions that the later revision wants. */
  to: v.array(v.string()),
})

/** What one revision wants otherwise than another. */
export const changesSchema = v.object({
  packages: v.array(packageChangeSchema),
  /** Whether groups, rules or windows differ. */
  terms: v.boolean(),
})
export type Changes = v.InferOutput<typeof changesSchema>

export const historySchema = v.object({
  /** The newest first. */
  revisions: v.array(
    v.object({
      ...changesSchema.entries,
      number: countSchema,
      released: instantSchema,
      message: v.string(),
      /** The revision that this one brought back. */
      rollbackTo: v.nullable(countSchema),
    }),
  ),
})

/** What the fleet trusts beyond what a restored root has signed. Null if it was not restored. */
export const recoverSchema = v.object({
  recovered: v.nullable(
    v.object({
      version: countSchema,
      signed: countSchema,
      /** The newest revision, where children have sent the metadata that leads to it. */
      revision: v.nullable(countSchema),
      /** Builds that are published here again: `name version`. */
      takenBack: v.array(v.string()),
      /** Builds that are not, and why. */
      missing: v.array(v.string()),
    }),
  ),
})
