// A plan: the actions that remove the differences, in the order in which they are carried out. A
// plain JSON value.

import * as v from 'valibot'
import { hookTimeoutMsSchema, kindSchema } from '../model/manifest.ts'
import {
  countSchema,
  type Instant,
  packageNameSchema,
  packageVersionSchema,
  type Sha256,
  sha256Schema,
} from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import { globSchema } from '../model/units/globs.ts'
import type { InstalledRecord } from './actual.ts'
import { type Difference, keyOf } from './differences.ts'
import { inOrder } from './order.ts'
import { plannedRestartSchema } from './planned-restart.ts'
import { keysTied, type PlanParts, tiesOf, type WaitingPackage, waitingOf, waitingPackageSchema } from './waiting.ts'

const packageKeySchema = v.pipe(v.string(), v.regex(/^(deb|rpm|tree)\/\S+$/), v.maxLength(512))
const pathSchema = v.pipe(v.string(), v.startsWith('/'), v.maxLength(4096))

export const actionSchema = v.strictObject({
  name: packageNameSchema,
  kind: kindSchema,
  what: v.picklist(['install', 'upgrade', 'downgrade', 'reinstall', 'remove']),
  cause: v.picklist(['pending', 'drift']),
  from: v.nullable(packageVersionSchema),
  to: v.nullable(packageVersionSchema),
  found: v.string(),
  /**
   * The payload to install; null for a removal. The apply process takes it only if the signed
   * revision names its digests.
   */
  source: v.nullable(v.strictObject({ manifest: sha256Schema, payload: sha256Schema, path: pathSchema })),
  /**
   * The version that banyan installed before, if its payload is still here. It goes back when the
   * new version fails, or what was to take the place of a package that goes.
   */
  previous: v.nullable(
    v.strictObject({
      version: packageVersionSchema,
      payload: sha256Schema,
      path: pathSchema,
      /** Absent in plans of earlier versions of banyan. */
      manifest: v.exactOptional(sha256Schema),
    }),
  ),
  /** Patterns of absolute paths that are left as they are. */
  ignore: v.exactOptional(v.array(globSchema)),
  /** How long each hook may take, if a rule says so. */
  hookTimeoutMs: v.exactOptional(hookTimeoutMsSchema),
  /**
   * The packages of other actions without which this action is not carried out, by `keyOf`. Each of
   * them is tied to it (ties.ts).
   */
  together: v.exactOptional(v.array(packageKeySchema)),
  /** How many versions stay of a package that is installed side by side. See the revision's `keep`. */
  keep: v.exactOptional(countSchema),
  /**
   * From this version on an installed version is kept: somebody else may have installed it since
   * the look. Absent: exactly `to` is wanted.
   */
  least: v.exactOptional(packageVersionSchema),
})
export type Action = v.InferOutput<typeof actionSchema>

export const planSchema = v.strictObject({
  schema: v.literal(1),
  revision: countSchema,
  /** The digest of the revision's bytes. */
  digest: sha256Schema,
  actions: v.array(actionSchema),
  /** The packages that cannot be changed yet. */
  waiting: v.array(waitingPackageSchema),
  /** Units to restart once their packages have changed. */
  restarts: v.exactOptional(v.array(plannedRestartSchema)),
})
export type Plan = v.InferOutput<typeof planSchema>
export const parsePlan = parserOf(planSchema)

/**
 * The same differences give the same plan. Differences of held packages are left out. A package
 * that depends on a waiting package waits as well, because its package manager would refuse it
 * alone; so does a package that is tied to a waiting one.
 */
export function planFor(differences: readonly Difference[], parts: PlanParts): Plan {
  const records = new Map(parts.installed.map((record) => [keyOf(record.kind, record.name), record]))
  const ties = tiesOf(differences, parts)
  const waiting = waitingOf(differences, parts, ties)
  const actions: Action[] = []
  for (const difference of differences) {
    const { name, kind, what, cause, from, to, found, manifest, least, keep } = difference
    if (difference.held || kind === null) continue
    if (waitsIn({ waiting }, difference) !== undefined) continue
    const payload = manifest === null ? undefined : parts.manifests.get(manifest)?.payload.sha256
    const path = payload === undefined ? undefined : parts.payloadsHere.get(payload)
    const source = manifest === null || payload === undefined || path === undefined ? null : { manifest, payload, path }
    const previous = previousOf(records.get(keyOf(kind, name)), from, parts.payloadsHere)
    const terms = { ...(least !== undefined && { least }), ...(keep !== undefined && { keep }) }
    actions.push({ name, kind, what, cause, from, to, found, source, previous, ...terms })
  }
  const { number, digest } = parts.revision
  return { schema: 1, revision: number, digest, actions: inOrder(actions.map(together), parts.manifests), waiting }

  function together(action: Action): Action {
    const keys = keysTied(action, actions, ties)
    if (keys.length > 0) return { ...action, together: keys }
    // What goes alone is not put back.
    return action.what === 'remove' ? { ...action, previous: null } : action
  }
}

/** What a difference waits for. Undefined if the plan acts on it. */
export function waitsIn(
  { waiting }: Pick<Plan, 'waiting'>,
  { name, manifest }: Pick<Difference, 'name' | 'manifest'>,
): WaitingPackage | undefined {
  const known = indexes.get(waiting) ?? new Map(waiting.map((one) => [keyOfWaiting(one), one]))
  indexes.set(waiting, known)
  return known.get(keyOfWaiting({ name, manifest }))
}

/** A plan may have thousands of waiting packages, and each is asked for. */
const indexes = new WeakMap<readonly WaitingPackage[], ReadonlyMap<string, WaitingPackage>>()

function keyOfWaiting({ name, manifest }: Pick<WaitingPackage, 'name' | 'manifest'>): string {
  return `${name} ${manifest ?? ''}`
}

/** Whether the package waits for an object that is being fetched. */
export function isComing(waiting: WaitingPackage): boolean {
  return waiting.for === 'manifest' || waiting.for === 'payload'
}

/**
 * The differences whose payloads are fetched now. The payload of a package that waits for its wave
 * is fetched with the wave.
 */
export function differencesToFetch(seen: { differences: readonly Difference[]; plan: Plan }): Difference[] {
  return actionableDifferences(seen).filter((difference) => waitsIn(seen.plan, difference)?.for !== 'wave')
}

/**
 * The differences that are to be removed sooner or later. What a rule in audit mode found is only
 * reported.
 */
export function actionableDifferences(seen: { differences: readonly Difference[]; plan: Plan }): Difference[] {
  return seen.differences.filter((difference) => waitsIn(seen.plan, difference)?.for !== 'audit')
}

/** When the first waiting package may go on. Undefined if none waits for a time. */
export function nextLookAt({ waiting }: Pick<Plan, 'waiting'>): Instant | undefined {
  const times = waiting.flatMap(({ until }) => until ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

function previousOf(
  record: InstalledRecord | undefined,
  from: string | null,
  payloadsHere: ReadonlyMap<Sha256, string>,
): Action['previous'] {
  if (record === undefined || record.state !== 'installed' || record.version !== from) return null
  const path = payloadsHere.get(record.payload)
  return path === undefined
    ? null
    : { version: record.version, payload: record.payload, path, manifest: record.manifest }
}
