// A revision: the whole desired state of a fleet, numbered and signed. Everything it refers to
// hangs below it by digest.

import * as v from 'valibot'
import { ignoredPathsSchema } from './ignored-paths.ts'
import { limits } from './limits.ts'
import { hookTimeoutMsSchema } from './manifest.ts'
import {
  type Arch,
  archSchema,
  countSchema,
  instantSchema,
  labelsSchema,
  lineSchema,
  nodeNameSchema,
  type PackageName,
  packageNameSchema,
  packageVersionSchema,
  type Sha256,
  sha256Schema,
  wordSchema,
} from './names.ts'
import { revisionLimitsSchema } from './node-limits.ts'
import type { Target } from './packages/target.ts'
import { targetSchema } from './packages/target-schema.ts'
import { parseJson, parserOf } from './parse.ts'
import { unitNameSchema } from './restarts.ts'
import { rolloutSchema } from './rollouts.ts'
import { windowSchema } from './units/windows.ts'

/**
 * A node is in a group when everything that the selector names holds for the node. Facts are
 * compared as text.
 */
export const selectorSchema = v.strictObject({
  site: v.exactOptional(v.union([wordSchema, v.array(wordSchema)])),
  labels: v.exactOptional(labelsSchema),
  facts: v.exactOptional(v.record(lineSchema, v.union([lineSchema, v.number(), v.boolean()]))),
  names: v.exactOptional(v.array(nodeNameSchema)),
})
export type Selector = v.InferOutput<typeof selectorSchema>

const buildSchema = v.strictObject({ version: packageVersionSchema, manifest: sha256Schema })
/** One published version for one architecture. */
export type Build = v.InferOutput<typeof buildSchema>

/** One build for each architecture. A release has resolved `latest` for each of them. */
const buildsSchema = v.record(archSchema, buildSchema)
export type Builds = v.InferOutput<typeof buildsSchema>

const wantedSchema = v.variant('state', [
  v.strictObject({ state: v.literal('absent') }),
  v.strictObject({
    state: v.literal('present'),
    /** For machines that none of the targets is for. */
    builds: buildsSchema,
    /** The first target that fits a machine and has a build for its architecture counts. */
    targets: v.exactOptional(v.array(v.strictObject({ for: targetSchema, builds: buildsSchema }))),
    /** A node with a newer version than its build keeps that version. Absent: exactly the build. */
    orNewer: v.exactOptional(v.literal(true)),
    /** With `orNewer`: a node that has this version or a newer one keeps it. */
    least: v.exactOptional(packageVersionSchema),
  }),
])
export type Wanted = v.InferOutput<typeof wantedSchema>
export type PresentWanted = Extract<Wanted, { state: 'present' }>

/** When and how the changes of a rule are carried out. Without terms: at once, by all nodes. */
const termsSchema = v.strictObject({
  /** Name of one of the revision's windows. */
  window: v.exactOptional(wordSchema),
  /** Name of one of the revision's rollouts. */
  rollout: v.exactOptional(wordSchema),
  /** The changes wait for no window and no wave. */
  urgent: v.exactOptional(v.literal(true)),
  /** The payloads yield to others while they are transferred. */
  background: v.exactOptional(v.literal(true)),
  /** Units to restart once one of the rule's packages has changed. */
  restart: v.exactOptional(v.pipe(v.array(unitNameSchema), v.minLength(1), v.maxLength(limits.unitsNamedMax))),
  /** Differences are reported and left as they are. */
  mode: v.exactOptional(v.literal('audit')),
  /** Patterns of absolute paths that are left as they are, whoever changed them. */
  ignore: v.exactOptional(ignoredPathsSchema),
  /** How long each hook of the rule's trees may take. */
  hookTimeoutMs: v.exactOptional(hookTimeoutMsSchema),
  /**
   * How many versions of a package stay that the machine installs side by side, such as kernels.
   * Without the term, what the machine's own package manager is set to.
   */
  keep: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(limits.versionsKeptMax))),
})
export type Terms = v.InferOutput<typeof termsSchema>

const ruleSchema = v.strictObject({
  /** Line of the rule in policy.yaml, for `banyan why`. */
  line: countSchema,
  nodes: v.union([v.literal('all'), v.array(wordSchema)]),
  except: v.array(wordSchema),
  packages: v.record(packageNameSchema, wantedSchema),
  terms: v.exactOptional(termsSchema),
  /**
   * For packages that are being rolled out: number of the revision that began it. All others are
   * out.
   */
  since: v.exactOptional(v.record(packageNameSchema, countSchema)),
})
export type Rule = v.InferOutput<typeof ruleSchema>

/**
 * What an earlier revision wanted of the packages that are being rolled out, for nodes whose wave
 * is not open.
 */
const earlierSchema = v.strictObject({ groups: v.record(wordSchema, selectorSchema), rules: v.array(ruleSchema) })
export type Earlier = v.InferOutput<typeof earlierSchema>

export const revisionSchema = v.strictObject({
  schema: v.literal(1),
  number: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  released: instantSchema,
  message: v.pipe(v.string(), v.maxLength(limits.textMaxChars)),
  groups: v.record(wordSchema, selectorSchema),
  /** Later rules win, package by package. */
  rules: v.array(ruleSchema),
  /** Digest of the revision before. */
  previous: v.exactOptional(sha256Schema),
  /**
   * Number of the revision whose desired state this one restored. Lines refer to the policy of that
   * revision.
   */
  rollbackTo: v.exactOptional(countSchema),
  windows: v.exactOptional(v.record(wordSchema, windowSchema)),
  rollouts: v.exactOptional(v.record(wordSchema, rolloutSchema)),
  /** Later entries win, key by key. */
  limits: v.exactOptional(revisionLimitsSchema),
  /** The newest first. Every node may have the last one. */
  earlier: v.exactOptional(v.pipe(v.array(earlierSchema), v.maxLength(limits.earlierMax))),
})
export type Revision = v.InferOutput<typeof revisionSchema>

export const parseRevision = parserOf(revisionSchema)

/**
 * The revision in an object's bytes. The caller has checked `digest`; a `bad-input` failure names
 * the object by it.
 */
export function revisionFrom(bytes: Uint8Array, digest: Sha256): Revision {
  const where = `revision ${digest}`
  return parseRevision(parseJson(bytes, where), where)
}

/**
 * The manifests that only background rules name. Whatever a node wants in the foreground, all fetch
 * in the foreground.
 */
export function backgroundOf(revision: Pick<Revision, 'rules'>): Set<Sha256> {
  const isBackground = ({ terms }: Rule) => terms?.background === true
  const foreground = manifestsOf({ rules: revision.rules.filter((rule) => !isBackground(rule)) })
  return manifestsOf({ rules: revision.rules.filter(isBackground) }).difference(foreground)
}

/** The digests of all manifests that a revision names, for any node. */
export function manifestsOf(revision: Pick<Revision, 'rules' | 'earlier'>): Set<Sha256> {
  return new Set(buildsOf(revision).map(({ build }) => build.manifest))
}

/** Every build of a package that a rule wants, for whatever machine. */
export function eachBuildOf(wanted: Wanted): { arch: Arch; target: Target | undefined; build: Build }[] {
  if (wanted.state === 'absent') return []
  const { builds, targets = [] } = wanted
  return [{ for: undefined, builds }, ...targets].flatMap((each) =>
    Object.entries(each.builds).map(([arch, build]) => ({ arch: arch as Arch, target: each.for, build })),
  )
}

/** The facts by which builds are chosen. */
export function targetFactsOf({ rules }: Pick<Revision, 'rules'>): Set<string> {
  const wanted = rules.flatMap(({ packages }) => Object.values(packages))
  return new Set(wanted.flatMap((each) => eachBuildOf(each).flatMap(({ target }) => Object.keys(target ?? {}))))
}

/** All builds that a revision lets nodes install or keep. */
export function buildsOf({ rules, earlier = [] }: Pick<Revision, 'rules' | 'earlier'>): {
  name: PackageName
  build: Build
}[] {
  return [rules, ...earlier.map((each) => each.rules)]
    .flat()
    .flatMap(({ packages }) =>
      Object.entries(packages).flatMap(([name, wanted]) => eachBuildOf(wanted).map(({ build }) => ({ name, build }))),
    )
}
