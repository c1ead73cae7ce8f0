// Packages whose installation or removal failed. Each is left alone for a while, longer with every
// failure, and the others go on. Pure.

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { limits } from '../model/limits.ts'
import { kindSchema } from '../model/manifest.ts'
import {
  countSchema,
  type Instant,
  instantSchema,
  type NodeName,
  packageNameSchema,
  sha256Schema,
} from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import type { Outcome } from '../model/report.ts'
import { backOffMs } from '../work/back-off.ts'
import type { Difference } from './differences.ts'
import type { Action, Plan } from './plan.ts'

/** What is kept of a quarantined package over a restart of the daemon. */
const savedSchema = v.strictObject({
  name: packageNameSchema,
  kind: kindSchema,
  /** The manifest that failed: another version is tried at once. Null for a removal. */
  manifest: v.nullable(sha256Schema),
  /** The revision under which it last failed. A newer revision is a reason to try again at once. */
  revision: countSchema,
  /** How many times in a row it has failed. */
  failures: countSchema,
  because: v.pipe(v.string(), v.maxLength(limits.detailMaxChars)),
  failedAt: instantSchema,
  /** For people, and for the time after a restart. */
  nextTry: instantSchema,
})
export type SavedQuarantine = v.InferOutput<typeof savedSchema>
export const parseSavedQuarantines = parserOf(v.array(savedSchema))

/** A package that failed, as long as a difference asks for it. */
export interface Quarantined extends SavedQuarantine {
  /**
   * When it may be tried again, on the monotonic clock. Null once that time has come; its failures
   * still count.
   */
  untilMs: number | null
}

/** One point in time on both clocks. */
export interface Moment {
  at: Instant
  monotonicMs: number
}

/**
 * How long a package is left alone after `failures` failures in a row. Nodes that failed together
 * try again at different times: half of each step depends on the names of the node and the package.
 * The same arguments give the same time.
 */
export function quarantineMs(failures: number, node: NodeName, name: string): number {
  const fraction = createHash('sha256').update(`${node} ${name} ${failures}`).digest().readUInt32BE() / 2 ** 32
  return backOffMs({
    failures,
    fraction,
    firstMs: limits.quarantineFirstMs,
    ceilingMs: limits.quarantineCeilingMs,
  })
}

/**
 * The quarantine after an apply. A package that failed enters it or stays longer; one that went
 * well leaves it.
 */
export function quarantineAfter(
  before: readonly Quarantined[],
  applied: { plan: Plan; outcomes: readonly Outcome[]; node: NodeName; moment: Moment },
): Quarantined[] {
  const { plan, outcomes, node, moment } = applied
  const after = new Map(before.map((one) => [keyOf(one), one]))
  for (const action of plan.actions) {
    const outcome = outcomes.find((one) => one.name === action.name && one.kind === action.kind)
    if (outcome === undefined || outcome.outcome === 'skipped') continue
    const key = keyOf(action)
    const known = after.get(key)
    // What cannot be looked at now is tried again later, as what failed.
    if (outcome.outcome !== 'failed' && outcome.outcome !== 'unread') {
      after.delete(key)
      continue
    }
    const isSame = known !== undefined && isOf(known, action)
    // The same outcomes may arrive twice.
    if (isSame && known.failedAt === moment.at) continue
    const failures = isSame ? known.failures + 1 : 1
    const restMs = quarantineMs(failures, node, action.name)
    after.set(key, {
      name: action.name,
      kind: action.kind,
      manifest: action.source?.manifest ?? null,
      revision: plan.revision,
      failures,
      because: outcome.detail ?? 'no detail',
      failedAt: moment.at,
      nextTry: moment.at + restMs,
      untilMs: moment.monotonicMs + restMs,
    })
  }
  return [...after.values()]
}

/** Whether the next apply leaves the action out. */
export function isQuarantined(quarantine: readonly Quarantined[], action: Action): boolean {
  return quarantine.some((one) => one.untilMs !== null && isOf(one, action))
}

/** The failures of a difference, whether or not it may be tried again by now. */
export function quarantineOf(
  quarantine: readonly Quarantined[],
  { name, kind, manifest }: Pick<Difference, 'name' | 'kind' | 'manifest'>,
): Quarantined | undefined {
  return quarantine.find((one) => one.name === name && one.kind === kind && one.manifest === manifest)
}

/**
 * A newer revision may mend what failed under a former one, so such packages may be tried at once.
 */
export function quarantineUnder(quarantine: readonly Quarantined[], revision: number): Quarantined[] {
  return quarantine.map((one) => (one.revision < revision ? { ...one, untilMs: null } : one))
}

/** Packages whose time has come may be tried again. At infinity, all of them may. */
export function quarantineAt(quarantine: readonly Quarantined[], monotonicMs: number): Quarantined[] {
  return quarantine.map((one) => (one.untilMs !== null && one.untilMs <= monotonicMs ? { ...one, untilMs: null } : one))
}

/** Without packages that no longer differ: somebody mended them, or something else is wanted. */
export function quarantineStanding(
  quarantine: readonly Quarantined[],
  differences: readonly Difference[],
): Quarantined[] {
  return quarantine.filter((one) => differences.some((difference) => quarantineOf([one], difference) !== undefined))
}

/** The time until the first package may be tried again. Undefined if none waits. */
export function nextTryInMs(quarantine: readonly Quarantined[], monotonicMs: number): number | undefined {
  const waits = quarantine.flatMap(({ untilMs }) => (untilMs === null ? [] : [Math.max(0, untilMs - monotonicMs)]))
  return waits.length === 0 ? undefined : Math.min(...waits)
}

/**
 * The quarantine after a restart. Whatever happened to the wall clock meanwhile, no package waits
 * longer than it was to.
 */
export function quarantineRestored(saved: readonly SavedQuarantine[], { at, monotonicMs }: Moment): Quarantined[] {
  return saved.map((one) => {
    const restMs = Math.max(0, Math.min(one.nextTry - at, one.nextTry - one.failedAt, limits.quarantineCeilingMs))
    return { ...one, untilMs: restMs === 0 ? null : monotonicMs + restMs }
  })
}

/** What is kept over a restart of the daemon. */
export function quarantineToSave(quarantine: readonly Quarantined[]): SavedQuarantine[] {
  return quarantine.map(({ untilMs: _, ...saved }) => saved)
}

/** One line for `check` and `why`. */
export function quarantineText({ failures, nextTry, untilMs }: Quarantined): string {
  const times = failures === 1 ? 'once' : `${failures} times in a row`
  const next = untilMs === null ? 'it is tried again now' : `next try at ${new Date(nextTry).toISOString()}`
  return `it failed ${times}; ${next}`
}

function isOf(one: Quarantined, action: Action): boolean {
  return keyOf(one) === keyOf(action) && one.manifest === (action.source?.manifest ?? null)
}

function keyOf({ kind, name }: Pick<Action, 'kind' | 'name'>): string {
  return `${kind}/${name}`
}
