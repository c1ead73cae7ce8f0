// Which packages of a plan wait, and for what. A package waits for what it lacks itself, for what
// it depends on, and for the changes that it is tied to (ties.ts). Pure.

import * as v from 'valibot'
import type { Kind, Manifest, Relations } from '../model/manifest.ts'
import {
  instantSchema,
  type PackageName,
  packageNameSchema,
  packageVersionSchema,
  type Sha256,
  sha256Schema,
} from '../model/names.ts'
import { namesNeededBy, namesOfferedBy } from '../model/needs.ts'
import type { InstalledRecord } from './actual.ts'
import { compareText, type Difference, keyOf } from './differences.ts'
import { type Change, type Ties, tiesBetween } from './ties.ts'

export const waitingPackageSchema = v.strictObject({
  name: packageNameSchema,
  /** Null for a removal. */
  version: v.nullable(packageVersionSchema),
  manifest: v.nullable(sha256Schema),
  for: v.picklist(['manifest', 'payload', 'dependency', 'change', 'window', 'wave', 'audit']),
  /**
   * The waiting package that this package depends on, or that changes together with it. Null if it
   * waits for something else.
   */
  dependency: v.nullable(packageNameSchema),
  /** When to look again. Absent if that is not known. */
  until: v.exactOptional(instantSchema),
  /** What the package waits for, in words, if the fields above do not say it. */
  detail: v.exactOptional(v.string()),
})
export type WaitingPackage = v.InferOutput<typeof waitingPackageSchema>

/** Why a difference is left as it is for now, although the payload may be here. */
export type WaitReason = Pick<WaitingPackage, 'until' | 'detail'> & { for: 'window' | 'wave' | 'audit' }

/** What a plan needs beside the differences. */
export interface PlanParts {
  revision: { number: number; digest: Sha256 }
  manifests: ReadonlyMap<Sha256, Manifest>
  /** The paths of the payloads that are wholly here. */
  payloadsHere: ReadonlyMap<Sha256, string>
  installed: readonly InstalledRecord[]
  /**
   * What the installed versions of packages that differ say of others, by `keyOf`. Without, they
   * say nothing.
   */
  relations?: ReadonlyMap<string, Relations>
  /** The wanted packages without a difference. Asked only if two packages or more differ. */
  standing?: () => readonly Relations[]
  /** Null if the difference may be removed at once. Without this function, all may. */
  waitOf?: (difference: Difference) => WaitReason | null
}

/** The ties between the differences, by `keyOf`. */
export function tiesOf(differences: readonly Difference[], parts: PlanParts): Ties {
  const changes = differences.flatMap((difference): Change[] => {
    const { name, kind, from, manifest } = difference
    const after = manifest === null ? null : (parts.manifests.get(manifest) ?? null)
    if (kind === null || (manifest !== null && after === null)) return []
    const key = keyOf(kind, name)
    const known = parts.relations?.get(key)
    const before = known ?? (from === null ? null : { kind, name, version: from, depends: [] })
    return [{ key, kind, name, before, after }]
  })
  return changes.length < 2 ? new Map() : tiesBetween(changes, parts.standing?.() ?? [])
}

/** The packages that wait, sorted by name. Held packages are not among them. */
export function waitingOf(differences: readonly Difference[], parts: PlanParts, ties: Ties): WaitingPackage[] {
  const waiting = new Map<Difference, WaitingPackage>()
  for (const difference of differences) {
    const waits = difference.held ? null : ownWaitOf(difference, parts)
    if (waits !== null) waiting.set(difference, waits)
  }
  const followers = followersOf(differences, parts, ties)
  // A held package does not change, so that what is tied to it cannot change either.
  const spreading = [...waiting.keys(), ...differences.filter(({ held }) => held)]
  for (let late = spreading.pop(); late !== undefined; late = spreading.pop()) {
    for (const [follower, why] of followers.get(late) ?? []) {
      if (follower.held || waiting.has(follower)) continue
      if (why === 'dependency' && late.held) continue
      const { name, to: version, manifest } = follower
      const detail = late.held ? { detail: "which is held by this machine's administrator" } : {}
      waiting.set(follower, { name, version, manifest, for: why, dependency: late.name, ...detail })
      spreading.push(follower)
    }
  }
  return [...waiting.values()].sort((a, b) => compareText(a.name, b.name))
}

function ownWaitOf(difference: Difference, parts: PlanParts): WaitingPackage | null {
  const { name, to: version, manifest } = difference
  const wait = parts.waitOf?.(difference) ?? null
  const body = manifest === null ? undefined : parts.manifests.get(manifest)
  const isHere = body !== undefined && parts.payloadsHere.has(body.payload.sha256)
  const missing = manifest === null || isHere ? null : body === undefined ? 'manifest' : 'payload'
  const waits = wait ?? (missing === null ? null : { for: missing })
  return waits === null ? null : { name, version, manifest, dependency: null, ...waits }
}

type Follower = [follower: Difference, why: 'dependency' | 'change']

/** What waits if a difference waits. */
function followersOf(
  differences: readonly Difference[],
  parts: PlanParts,
  ties: Ties,
): ReadonlyMap<Difference, Follower[]> {
  const followers = new Map<Difference, Follower[]>()
  const add = (late: Difference, follower: Difference, why: Follower[1]) => {
    const known = followers.get(late)
    if (known === undefined) followers.set(late, [[follower, why]])
    else known.push([follower, why])
  }
  const bodyOf = ({ manifest }: Difference) => (manifest === null ? undefined : parts.manifests.get(manifest))
  const offering = new Map<string, Difference[]>()
  const byKey = new Map<string, Difference>()
  for (const one of differences) {
    if (one.kind !== null) byKey.set(keyOf(one.kind, one.name), one)
    if (one.manifest === null) continue
    const body = bodyOf(one)
    for (const name of body === undefined ? [one.name] : namesOfferedBy(body)) {
      offering.set(name, [...(offering.get(name) ?? []), one])
    }
  }
  const unknown = differences.find(({ kind, held }) => kind === null && !held)
  for (const one of differences) {
    const body = bodyOf(one)
    for (const needed of new Set(body === undefined ? [] : namesNeededBy(body))) {
      for (const late of offering.get(needed) ?? []) {
        if (late !== one && isSameManager(late.kind, one.kind)) add(late, one, 'dependency')
      }
    }
    for (const without of one.kind === null ? [] : (ties.get(keyOf(one.kind, one.name)) ?? [])) {
      const late = byKey.get(without)
      if (late !== undefined) add(late, one, 'change')
    }
    // The package whose manifest is not here yet may take the place of what goes.
    if (unknown !== undefined && one.what === 'remove' && one.cause === 'pending') add(unknown, one, 'change')
  }
  return followers
}

/** A package depends only on packages of its own package manager. */
function isSameManager(late: Kind | null, own: Kind | null): boolean {
  return late === null || late === own
}

/** The keys of the actions that an action is not carried out without, sorted. */
export function keysTied(
  action: { kind: Kind; name: PackageName },
  actions: readonly { kind: Kind; name: PackageName }[],
  ties: Ties,
): string[] {
  const without = ties.get(keyOf(action.kind, action.name))
  if (without === undefined) return []
  const keys = actions.map(({ kind, name }) => keyOf(kind, name)).filter((key) => without.has(key))
  return [...new Set(keys)].sort(compareText)
}
