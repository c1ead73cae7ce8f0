// One look at a machine: what is installed, what differs from the desired state, and the plan that
// follows. Changes nothing.

import path from 'node:path'
import type { DesiredPackage } from '../model/desired.ts'
import type { Manifest, Relations } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import type { Outcome } from '../model/report.ts'
import type { MachineNeeds } from '../model/restarts.ts'
import type { Disk } from '../world/world.ts'
import type { InstalledRecord } from './actual.ts'
import { type Difference, keyOf } from './differences.ts'
import { ignoredPathsOf, withTerms } from './ignored.ts'
import { outcomesKept } from './kept.ts'
import type { CachedNeeds } from './machine-needs.ts'
import { type Plan, planFor } from './plan.ts'
import type { Providers } from './providers/provider.ts'
import { inspectAll } from './providers/providers.ts'
import { recordsStanding } from './records.ts'
import { withRestarts } from './restarts.ts'
import { type Timing, waitsFor } from './waits.ts'
import { differencesWithLater, type Later } from './waves.ts'

/** What the machine is compared with. */
export interface LookRequest {
  revision: { number: number; digest: Sha256 }
  desired: DesiredPackage[]
  /** The manifests that are here, of desired packages. */
  manifests: ReadonlyMap<Sha256, Manifest>
  /** What banyan installed on this machine, as far as it remembers. */
  records: InstalledRecord[]
  /** The newest revision that this machine had no difference to; null if there was none. */
  converged: number | null
  /** The packages that wait for their wave. `desired` names what the node is to have until then. */
  later: readonly Later[]
  timing: Timing
  /** The path of a payload, or undefined while it is not wholly here. */
  payloadPath(manifest: Manifest): Promise<string | undefined>
}

/** What one look found out. */
export interface LookResult {
  differences: Difference[]
  plan: Plan
  /** One outcome for each package that the plan leaves as it is. */
  kept: Outcome[]
  /** The records that still stand. */
  records: InstalledRecord[]
  /** What the machine needs beside packages, such as a reboot; absent if nobody knows. */
  needs?: MachineNeeds
}

export interface LookParts {
  /** An absolute path. */
  home: string
  disk: Pick<Disk, 'stat'>
  providers: Providers
  cachedNeeds: CachedNeeds
}

/** Inspects the machine by all providers, and plans what removes the differences. */
export async function lookAtMachine(parts: LookParts, request: LookRequest): Promise<LookResult> {
  const { desired, manifests, revision, converged, later } = request
  const installed = request.records
  const actual = await inspectAll(parts.providers, { desired, manifests, installed, depth: 'quick' })
  const records = recordsStanding(installed, { desired, actual })
  const compared = { desired, manifests, actual, installed: records, revision: revision.number, converged }
  const differences = differencesWithLater(compared, later)
  const payloadsHere = await payloadsFor(parts, request, differences, records)
  const waitOf = waitsFor(desired, later, request.timing)
  const relations = await relationsOf(parts.providers, differences)
  const standing = () => standingAmong(desired, differences, manifests)
  const planned = planFor(differences, {
    ...{ revision, manifests, payloadsHere, installed: records, relations, standing, waitOf },
  })
  const plan = withTerms(withRestarts(planned, desired), desired, ignoredPathsOf(desired, manifests))
  const needs = await parts.cachedNeeds.look()
  return { differences, plan, kept: outcomesKept({ desired, actual, differences, plan }), records, needs }
}

/**
 * What the installed versions of packages that differ say of others, by `keyOf`. Nobody is asked
 * unless two packages or more differ.
 */
async function relationsOf(providers: Providers, differences: readonly Difference[]): Promise<Map<string, Relations>> {
  const found = new Map<string, Relations>()
  if (differences.length < 2) return found
  for (const provider of providers.values()) {
    const own = differences.filter(({ kind, from }) => kind === provider.kind && from !== null)
    for (const one of own.length === 0 ? [] : ((await provider.relations?.(own.map(({ name }) => name))) ?? [])) {
      found.set(keyOf(one.kind, one.name), one)
    }
  }
  return found
}

/** The wanted packages without a difference whose manifests are here. */
function standingAmong(
  desired: readonly DesiredPackage[],
  differences: readonly Difference[],
  manifests: LookRequest['manifests'],
): Manifest[] {
  const differing = new Set(differences.map(({ name }) => name))
  return desired.flatMap((wanted) => {
    const isStanding = wanted.state === 'present' && !differing.has(wanted.name)
    return isStanding ? (manifests.get(wanted.manifest) ?? []) : []
  })
}

/**
 * The payloads that are here, of wanted versions and of the versions that would go back if those
 * fail, or if what takes the place of a package that goes fails.
 */
async function payloadsFor(
  parts: LookParts,
  { manifests, payloadPath }: LookRequest,
  differences: readonly Difference[],
  records: readonly InstalledRecord[],
): Promise<Map<Sha256, string>> {
  const here = new Map<Sha256, string>()
  const known = new Map(records.map((record) => [keyOf(record.kind, record.name), record]))
  for (const difference of differences) {
    const manifest = difference.manifest === null ? undefined : manifests.get(difference.manifest)
    if (manifest === undefined && difference.what !== 'remove') continue
    const file = manifest === undefined ? undefined : await payloadPath(manifest)
    if (manifest !== undefined && file !== undefined) here.set(manifest.payload.sha256, path.resolve(file))
    const former = difference.kind === null ? undefined : known.get(keyOf(difference.kind, difference.name))
    if (former === undefined || here.has(former.payload)) continue
    const kept = await keptPayload(parts, former.payload)
    if (kept !== undefined) here.set(former.payload, kept)
  }
  return here
}

/** The file of a payload whose manifest may no longer be at hand. */
async function keptPayload({ home, disk }: LookParts, payload: Sha256): Promise<string | undefined> {
  for (const folder of ['store', 'objects']) {
    const file = path.join(home, folder, payload)
    if ((await disk.stat(file))?.kind === 'file') return file
  }
  return undefined
}
