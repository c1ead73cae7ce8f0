// What a revision means for one node.

import {
  type Arch,
  archInName,
  type Labels,
  type NodeName,
  type PackageName,
  type PackageVersion,
  publishedNameOf,
  type Sha256,
} from './names.ts'
import { own } from './packages/records.ts'
import { isTargeted } from './packages/target.ts'
import type { Build, PresentWanted, Revision, Selector, Terms } from './revision.ts'

/** The properties by which a policy selects nodes. Facts are flat: `os.codename`. */
export interface NodeTraits {
  name: NodeName
  site: string
  arch: Arch
  labels: Labels
  facts: Readonly<Record<string, string | number | boolean>>
}

/** What decides which build of a package a node gets. */
export type Machine = Pick<NodeTraits, 'arch' | 'facts'>

export type DesiredPackage = (
  | {
      state: 'present'
      name: PackageName
      version: PackageVersion
      manifest: Sha256
      /** An installed version from this one on is kept. Absent: exactly `version` is wanted. */
      least?: PackageVersion
    }
  | { state: 'absent'; name: PackageName }
  /** The rule matches this node, but no build fits its architecture and its facts. */
  | { state: 'no-build'; name: PackageName }
  /**
   * Whatever is installed stays: the revision does not say what this node should have until its
   * wave opens.
   */
  | { state: 'as-is'; name: PackageName }
) & {
  /** Line in policy.yaml of the rule that decides. */
  line: number
  terms?: Terms
  /** Number of the revision that began to roll the package out. */
  since?: number
}

export type PresentPackage = Extract<DesiredPackage, { state: 'present' }>

/**
 * The desired state of one node, sorted by package name. A package that no rule mentions is not in
 * it.
 */
export function desiredFor(revision: Pick<Revision, 'groups' | 'rules'>, traits: NodeTraits): DesiredPackage[] {
  return desiredInGroups(revision, groupsOf(revision, traits), traits)
}

/**
 * The same for given groups: nodes in the same groups, of the same architecture and with the same
 * facts among `targetFactsOf` want the same packages.
 */
export function desiredInGroups(
  revision: Pick<Revision, 'rules'>,
  groups: ReadonlySet<string>,
  machine: Machine,
): DesiredPackage[] {
  const desired = new Map<PackageName, DesiredPackage>()
  for (const rule of revision.rules) {
    if (rule.nodes !== 'all' && !rule.nodes.some((group) => groups.has(group))) continue
    if (rule.except.some((group) => groups.has(group))) continue
    const { line, terms } = rule
    for (const [written, wanted] of Object.entries(rule.packages)) {
      const since = own(rule.since, written)
      // `libfo:amd64` on such a machine is `libfo`: one package has one wanted state, the later rule's.
      const name = archInName(written) === machine.arch ? publishedNameOf(written) : written
      const by = { line, ...(terms !== undefined && { terms }), ...(since !== undefined && { since }) }
      if (wanted.state === 'absent') {
        desired.set(name, { state: 'absent', name, ...by })
        continue
      }
      const build = buildFor(wanted, { ...machine, arch: archInName(name) ?? machine.arch })
      const { version, manifest } = build ?? {}
      desired.set(
        name,
        version === undefined || manifest === undefined
          ? { state: 'no-build', name, ...by }
          : { state: 'present', name, version, manifest, ...leastOf(wanted, version), ...by },
      )
    }
  }
  return [...desired.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

function buildFor({ builds, targets = [] }: PresentWanted, { arch, facts }: Machine): Build | undefined {
  const fitting = targets.filter((each) => isTargeted(each.for, facts))
  return [...fitting, { builds }].map((each) => each.builds[arch] ?? each.builds['all']).find((build) => build)
}

function leastOf({ orNewer, least }: PresentWanted, version: PackageVersion): { least?: PackageVersion } {
  return orNewer ? { least: least ?? version } : {}
}

/** The names of the groups that a node is in. */
export function groupsOf(revision: Pick<Revision, 'groups'>, traits: NodeTraits): Set<string> {
  const names = Object.entries(revision.groups)
    .filter(([, selector]) => selects(selector, traits))
    .map(([name]) => name)
  return new Set(names)
}

function selects(selector: Selector, traits: NodeTraits): boolean {
  if (selector.site !== undefined && ![selector.site].flat().includes(traits.site)) return false
  if (selector.names !== undefined && !selector.names.includes(traits.name)) return false
  for (const [key, value] of Object.entries(selector.labels ?? {})) {
    if (own(traits.labels, key) !== value) return false
  }
  for (const [key, value] of Object.entries(selector.facts ?? {})) {
    if (String(own(traits.facts, key)) !== String(value)) return false
  }
  return true
}
