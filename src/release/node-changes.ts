// What a revision would change on one node, compared with the node's newest report. Pure.

import type { DesiredPackage } from '../model/desired.ts'
import type { Kind, Manifest } from '../model/manifest.ts'
import type { NodeName, PackageName, PackageVersion, Sha256 } from '../model/names.ts'
import { targetText } from '../model/packages/target.ts'
import type { Outcome, Report } from '../model/report.ts'
import { compareVersions } from '../model/versions.ts'
import type { What } from '../reconcile/differences.ts'

/** One line of `banyan plan`, in the words of `banyan check`. */
export interface PlannedChange {
  name: PackageName
  what: What
  from: PackageVersion | null
  to: PackageVersion | null
  /**
   * `held`: the node's administrator keeps it from happening. `audit`: it would be reported, and
   * nothing done.
   */
  state: 'planned' | 'held' | 'audit'
  /** The machines that the build is for, if it is for few: `os.codename=bookworm`. */
  target?: string
  nodes: NodeName[]
}

export type NodeChange = Omit<PlannedChange, 'nodes'>

export interface NodeChanges {
  changes: NodeChange[]
  /** Manifests of the packages that the node would install. */
  needs: Sha256[]
  /** Packages of which the report does not say whether they are installed. */
  unreported: PackageName[]
  /** Packages without a build for the node. */
  unbuilt: PackageName[]
}

export function changesOn(
  report: Pick<Report, 'packages'>,
  desired: readonly DesiredPackage[],
  manifest: (digest: Sha256) => Manifest | undefined,
): NodeChanges {
  const found: NodeChanges = { changes: [], needs: [], unreported: [], unbuilt: [] }
  const present = new Map(report.packages.map((outcome) => [outcome.name, outcome]))
  for (const wanted of desired) {
    const outcome = present.get(wanted.name)
    present.delete(wanted.name)
    if (wanted.state === 'no-build') found.unbuilt.push(wanted.name)
    const isUnknown = outcome?.outcome === 'unread' && outcome.version === null
    if (isUnknown || (wanted.state === 'absent' && outcome === undefined)) found.unreported.push(wanted.name)
    if (isUnknown) continue
    const change = changeFor(wanted, outcome, (digest) => manifest(digest)?.kind)
    if (change === undefined) continue
    const target = wanted.state === 'present' ? manifest(wanted.manifest)?.target : undefined
    found.changes.push(target === undefined ? change : { ...change, target: targetText(target) })
    if (isPlanned(change) && wanted.state === 'present') found.needs.push(wanted.manifest)
  }
  // The revision does not mention the packages that are left.
  for (const { name, version, kind, outcome } of present.values()) {
    if (version === null || kind === null) continue
    const state = outcome === 'held' ? 'held' : 'planned'
    found.changes.push({ name, what: 'remove', from: version, to: null, state })
  }
  return found
}

/** Whether the change would happen; others are only reported. */
export function isPlanned({ state }: Pick<PlannedChange, 'state'>): boolean {
  return state === 'planned'
}

function changeFor(
  wanted: DesiredPackage,
  outcome: Outcome | undefined,
  kindOf: (manifest: Sha256) => Kind | undefined,
): NodeChange | undefined {
  const { name } = wanted
  const from = outcome?.version ?? null
  const state = wanted.terms?.mode === 'audit' ? 'audit' : outcome?.outcome === 'held' ? 'held' : 'planned'
  if (wanted.state === 'absent') return from === null ? undefined : { name, what: 'remove', from, to: null, state }
  // A revision that is not signed yet wants nothing `as-is`: only a wave that is not open does.
  if (wanted.state === 'no-build' || wanted.state === 'as-is') return undefined
  const to = wanted.version
  if (from === null) return { name, what: 'install', from, to, state }
  if (from !== to) {
    const kind = kindOf(wanted.manifest) ?? outcome?.kind ?? 'tree'
    // A node that cannot finish what is newer than wanted reports so, and no release mends it.
    if (wanted.least !== undefined && compareVersions(kind, from, wanted.least) >= 0) return undefined
    const order = compareVersions(kind, from, to)
    return { name, what: order < 0 ? 'upgrade' : order > 0 ? 'downgrade' : 'reinstall', from, to, state }
  }
  // The version is right, but the node reports drift, or an installation that is not complete.
  const isWhole = outcome === undefined || ['kept', 'newer', 'changed', 'unread'].includes(outcome.outcome)
  return isWhole ? undefined : { name, what: 'reinstall', from, to, state }
}
