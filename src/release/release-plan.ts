// What releasing a policy would change, reckoned from the newest reports before anything is signed. Pure, one report after
// the other: a fleet's reports do not fit in memory together.

import { type DesiredPackage, desiredFor, groupsOf, type NodeTraits } from '../model/desired.ts'
import type { Manifest } from '../model/manifest.ts'
import type { NodeName, PackageName, PackageVersion, Sha256 } from '../model/names.ts'
import type { Outcome, Report } from '../model/report.ts'
import type { Revision } from '../model/revision.ts'
import { compareVersions } from '../model/versions.ts'
import type { What } from '../reconcile/differences.ts'
import { type LinkedNode, type LinkTraffic, linkTraffic } from './link-traffic.ts'
import { isTooMuch } from './removals.ts'

/** One line of `banyan plan`, in the words of `banyan check`. */
export interface PlannedChange {
  name: PackageName
  what: What
  from: PackageVersion | null
  to: PackageVersion | null
  /** audit: it would be told, and nothing be done. */
  state: 'planned' | 'held' | 'audit'
  nodes: NodeName[]
}

export interface ReleasePlan {
  /** That the release would make, and the one before it. */
  revision: number
  before: number | null
  nodes: number
  /** How many of them would change. */
  changing: number
  /** Sorted by package. */
  changes: PlannedChange[]
  sites: (LinkTraffic & { changing: number })[]
  /** Package installations, and those of them that would go; `refused` without `--allow-removals`. */
  removals: { installed: number; removed: number; refused: boolean }
  /** What the reports do not say. Of silent nodes the last that they said is taken. */
  unknown: {
    silent: NodeName[]
    /** They have not told yet what they make of the revision before. */
    behind: NodeName[]
    /** They have more packages than their report says. */
    cut: NodeName[]
    /** Packages to be absent of which a node has not said yet whether it has them. */
    absent: { name: PackageName; nodes: number }[]
    /** Packages without a build for a node. */
    unbuilt: { name: PackageName; nodes: number }[]
  }
}

export interface ReleasePlanner {
  take(report: Report): void
  plan(silent: readonly NodeName[]): ReleasePlan
}

export function releasePlanner(parts: {
  revision: Revision
  /** The number of the newest released one. */
  before: number | null
  manifest: (digest: Sha256) => Manifest | undefined
}): ReleasePlanner {
  const { revision, before, manifest } = parts
  const desiredBy = new Map<string, DesiredPackage[]>()
  const changes = new Map<string, PlannedChange>()
  const nodes: (LinkedNode & { changes: number })[] = []
  const behind: NodeName[] = []
  const cut: NodeName[] = []
  const absent = new Map<PackageName, number>()
  const unbuilt = new Map<PackageName, number>()
  let installed = 0
  let removed = 0

  /** Nodes of the same groups and architecture want the same. */
  function desiredOf(traits: NodeTraits): DesiredPackage[] {
    const key = [traits.arch, ...groupsOf(revision, traits)].join(' ')
    const known = desiredBy.get(key) ?? desiredFor(revision, traits)
    desiredBy.set(key, known)
    return known
  }

  function add(node: NodeName, change: Omit<PlannedChange, 'nodes'>): void {
    const key = [change.name, change.what, change.from, change.to, change.state].join(' ')
    const known = changes.get(key) ?? { ...change, nodes: [] }
    known.nodes.push(node)
    changes.set(key, known)
  }

  function changeOf(wanted: DesiredPackage, there: Outcome | undefined): Omit<PlannedChange, 'nodes'> | undefined {
    const { name } = wanted
    const from = there?.version ?? null
    const isAudit = wanted.terms?.mode === 'audit'
    const state = isAudit ? 'audit' : there?.outcome === 'held' ? 'held' : 'planned'
    if (wanted.state === 'absent') {
      if (there === undefined) absent.set(name, (absent.get(name) ?? 0) + 1)
      return from === null ? undefined : { name, what: 'remove', from, to: null, state }
    }
    if (wanted.state === 'no-build') {
      unbuilt.set(name, (unbuilt.get(name) ?? 0) + 1)
      return undefined
    }
    // Which nothing is called when it is compiled.
    if (wanted.state === 'as-is') return undefined
    const to = wanted.version
    if (from === null) return { name, what: 'install', from, to, state }
    if (from !== to) {
      const kind = manifest(wanted.manifest)?.kind ?? there?.kind ?? 'tree'
      const order = compareVersions(kind, from, to)
      return { name, what: order < 0 ? 'upgrade' : order > 0 ? 'downgrade' : 'reinstall', from, to, state }
    }
    // Drift, or half of an installation: that is what the node itself says differs.
    const isWhole = there === undefined || there.outcome === 'kept' || there.outcome === 'changed'
    return isWhole ? undefined : { name, what: 'reinstall', from, to, state }
  }

  return {
    take(report) {
      const { node, parent, arch, labels, facts, transfers } = report
      const desired = desiredOf({ name: node, site: report.site ?? '', arch, labels, facts })
      const there = new Map(report.packages.map((outcome) => [outcome.name, outcome]))
      const needs: Sha256[] = []
      installed += report.packages.filter(({ version, kind }) => version !== null && kind !== null).length
      let count = 0
      for (const wanted of desired) {
        const change = changeOf(wanted, there.get(wanted.name))
        there.delete(wanted.name)
        if (change === undefined) continue
        add(node, change)
        if (change.what === 'remove' && !isOnlyTold(change)) removed += 1
        if (isOnlyTold(change)) continue
        count += 1
        if (wanted.state === 'present') needs.push(wanted.manifest)
      }
      // What is left is mentioned no longer.
      for (const { name, version, kind, outcome } of there.values()) {
        if (version === null || kind === null) continue
        const state = outcome === 'held' ? 'held' : 'planned'
        add(node, { name, what: 'remove', from: version, to: null, state })
        if (isOnlyTold({ state })) continue
        removed += 1
        count += 1
      }
      nodes.push({ node, site: report.site, parent, needs, transfers, changes: count })
      if (before !== null && (report.revision ?? 0) < before) behind.push(node)
      if ((report.truncated ?? 0) > 0) cut.push(node)
    },

    plan(silent) {
      const changing = nodes.filter((one) => one.changes > 0)
      const changingAt = Map.groupBy(changing, ({ site }) => site)
      const traffic = linkTraffic(nodes, (digest) => manifest(digest)?.payload)
      return {
        revision: revision.number,
        before,
        nodes: nodes.length,
        changing: changing.length,
        changes: [...changes.values()].sort((a, b) => compare(a.name, b.name) || b.nodes.length - a.nodes.length),
        sites: traffic.map((one) => ({ ...one, changing: changingAt.get(one.site)?.length ?? 0 })),
        removals: { installed, removed, refused: isTooMuch({ installed, removed }) },
        unknown: { silent: [...silent], behind, cut, absent: countsOf(absent), unbuilt: countsOf(unbuilt) },
      }
    },
  }
}

function isOnlyTold({ state }: Pick<PlannedChange, 'state'>): boolean {
  return state !== 'planned'
}

function countsOf(counts: ReadonlyMap<PackageName, number>): { name: PackageName; nodes: number }[] {
  return [...counts].map(([name, nodes]) => ({ name, nodes })).sort((a, b) => compare(a.name, b.name))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
