// What a release would change, computed from the newest reports before anything is signed. Pure;
// reads one report after the other, because the reports of a fleet do not fit into memory together.

import { type DesiredPackage, desiredFor, groupsOf, type NodeTraits } from '../model/desired.ts'
import type { Manifest } from '../model/manifest.ts'
import type { NodeName, PackageName, Sha256 } from '../model/names.ts'
import { own } from '../model/packages/records.ts'
import { policySiteOf, type Report } from '../model/report.ts'
import { type Revision, targetFactsOf } from '../model/revision.ts'
import { type LinkedNode, type LinkTraffic, linkTraffic } from './link-traffic.ts'
import { changesOn, isPlanned, type NodeChange, type PlannedChange } from './node-changes.ts'
import { exceedsLimit } from './removals.ts'

export interface ReleasePlan {
  /** Number of the revision that the release would make. */
  revision: number
  /** Number of the newest released revision; null before the first. */
  before: number | null
  /** How many nodes have reported. */
  nodes: number
  /** How many nodes would change. */
  changing: number
  /** Sorted by package. */
  changes: PlannedChange[]
  /** What would cross the link of each site, and how many of its nodes would change. */
  sites: (LinkTraffic & { changing: number })[]
  /**
   * Package installations, and how many of them would be removed; `refused` without
   * `--allow-removals`.
   */
  removals: { installed: number; removed: number; refused: boolean }
  /** What the reports leave open. */
  unknown: {
    /** Nodes that are silent; the plan counts their last reports. */
    silent: NodeName[]
    /** Nodes that have not reported on the newest revision yet. */
    behind: NodeName[]
    /** Nodes that have more packages than their report has room for. */
    cut: NodeName[]
    /** Packages to be absent, and how many nodes have not reported yet whether they have them. */
    absent: { name: PackageName; nodes: number }[]
    /** Packages without a build for some nodes, and for how many. */
    unbuilt: { name: PackageName; nodes: number }[]
  }
}

export interface ReleasePlanner {
  add(report: Report): void
  plan(silent: readonly NodeName[]): ReleasePlan
}

export function createReleasePlanner(parts: {
  revision: Revision
  /** Number of the newest released revision; null before the first. */
  before: number | null
  manifest: (digest: Sha256) => Manifest | undefined
}): ReleasePlanner {
  const { revision, before, manifest } = parts
  const desiredOf = desiredByGroups(revision)
  const nodes: (LinkedNode & { changes: number })[] = []
  const changes = new Map<string, PlannedChange>()
  const behind: NodeName[] = []
  const cut: NodeName[] = []
  const absent = new Map<PackageName, number>()
  const unbuilt = new Map<PackageName, number>()
  let installed = 0
  let removed = 0

  return {
    add(report) {
      const { node, parent, arch, labels, facts, transfers, site } = report
      const desired = desiredOf({ name: node, site: policySiteOf(report), arch, labels, facts })
      const found = changesOn(report, desired, manifest)
      const planned = found.changes.filter(isPlanned)
      for (const change of found.changes) addTo(changes, change, node)
      for (const name of found.unreported) absent.set(name, (absent.get(name) ?? 0) + 1)
      for (const name of found.unbuilt) unbuilt.set(name, (unbuilt.get(name) ?? 0) + 1)
      installed += report.packages.filter(({ version, kind }) => version !== null && kind !== null).length
      removed += planned.filter(({ what }) => what === 'remove').length
      nodes.push({ node, site, parent, needs: found.needs, transfers, changes: planned.length })
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
        removals: { installed, removed, refused: exceedsLimit({ installed, removed }) },
        unknown: { silent: [...silent], behind, cut, absent: countsOf(absent), unbuilt: countsOf(unbuilt) },
      }
    },
  }
}

/** Nodes of the same groups that get the same builds want the same, which is computed once. */
function desiredByGroups(revision: Revision): (traits: NodeTraits) => DesiredPackage[] {
  const desiredBy = new Map<string, DesiredPackage[]>()
  const targetFacts = [...targetFactsOf(revision)]
  return (traits) => {
    const facts = targetFacts.map((fact) => own(traits.facts, fact) ?? null)
    const key = JSON.stringify([traits.arch, facts, ...groupsOf(revision, traits)])
    const known = desiredBy.get(key) ?? desiredFor(revision, traits)
    desiredBy.set(key, known)
    return known
  }
}

function addTo(changes: Map<string, PlannedChange>, change: NodeChange, node: NodeName): void {
  const key = [change.name, change.what, change.from, change.to, change.state, change.target].join(' ')
  const known = changes.get(key) ?? { ...change, nodes: [] }
  known.nodes.push(node)
  changes.set(key, known)
}

function countsOf(counts: ReadonlyMap<PackageName, number>): { name: PackageName; nodes: number }[] {
  return [...counts].map(([name, nodes]) => ({ name, nodes })).sort((a, b) => compare(a.name, b.name))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
