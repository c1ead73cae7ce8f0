// Whether the nodes would have everything that the packages of a revision need, reckoned before it is signed. Pure, one report
// after the other.

import { type DesiredPackage, desiredInGroups, groupsOf } from '../model/desired.ts'
import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Arch, NodeName, PackageName, PackageVersion, Sha256 } from '../model/names.ts'
import { isMet, namesIn, type Offer, type Offers, offersOf } from '../model/needs.ts'
import type { Report } from '../model/report.ts'
import type { Revision, Rule } from '../model/revision.ts'

/** Something that a package needs and that nodes would not have. */
export interface Unmet {
  package: PackageName
  version: PackageVersion
  /** In the package's own words: `libfoo (>= 2) | libbar`. */
  needs: string
  /** Of the rule that wants the package, in policy.yaml. */
  line: number
  rule: Pick<Rule, 'nodes' | 'except'>
  /** How many known nodes would lack it; none if the rule is for nodes that nobody knows yet. */
  count: number
  /** The first of them. */
  nodes: NodeName[]
  /**
   * missing: a base list, or the repository that has it for others, says that it will not be there. unknown: there is no
   * list of what the distribution of these nodes brings along, or it says nothing of files.
   */
  state: 'missing' | 'unknown'
  /** The package of the repository that would bring it. */
  published: PackageName | null
}

export interface Closure {
  take(report: Report): void
  /** By package. */
  unmet(): Unmet[]
}

interface Need {
  wanted: Extract<DesiredPackage, { state: 'present' }>
  kind: Manifest['kind']
  clause: string
  /** Of the repository, what would bring it. */
  bringer: PackageName | null
}

interface Audience {
  needs: Need[]
  mentioned: ReadonlyMap<PackageName, DesiredPackage>
  hasBase: boolean
}

/**
 * A need is met by what the same node is to have, by the base lists of its groups, and by what its report shows: a package
 * that is to stay there, or a need in the same words of a package that is installed there.
 */
export function closureOf(parts: {
  revision: Revision
  /** Everything published. */
  manifests: ReadonlyMap<Sha256, Manifest>
  /** By group, or `all`. */
  base: ReadonlyMap<string, Offers>
}): Closure {
  const { revision, manifests, base } = parts
  const published = Map.groupBy(manifests.values(), ({ name, version }) => `${name} ${version}`)
  const bringers = new Map<string, Manifest[]>()
  for (const manifest of manifests.values()) {
    for (const [name] of offersOf(manifest)) bringers.set(name, [...(bringers.get(name) ?? []), manifest])
  }
  const audiences = new Map<string, Audience>()
  const linesSeen = new Set<number>()
  const found = new Map<string, Unmet>()

  function audienceOf(groups: ReadonlySet<string>, arch: Arch): Audience {
    const key = [arch, ...groups].join(' ')
    const known = audiences.get(key)
    if (known !== undefined) return known
    const desired = desiredInGroups(revision, groups, arch)
    const mentioned = new Map(desired.map((wanted) => [wanted.name, wanted]))
    const lists = [...base].flatMap(([group, offers]) => (group === 'all' || groups.has(group) ? [offers] : []))
    const coming = desired.flatMap((wanted) => {
      linesSeen.add(wanted.line)
      // Audit brings nothing there.
      if (wanted.state !== 'present' || wanted.terms?.mode === 'audit') return []
      const manifest = manifests.get(wanted.manifest)
      return manifest === undefined ? [] : [{ wanted, manifest }]
    })
    const brought = lists.map((offers) => withoutAbsent(offers, mentioned))
    const own = offersByKind(coming.map(({ manifest }) => manifest))
    const needs = coming.flatMap(({ wanted, manifest: { kind, depends } }) => {
      const offered = [own.get(kind) ?? nothing, ...brought]
      return depends.flatMap((clause) => {
        return isMet(kind, clause, offered)
          ? []
          : [{ wanted, kind, clause, bringer: bringerOf(kind, clause, arch, offered) }]
      })
    })
    const audience = { needs, mentioned, hasBase: lists.length > 0 }
    audiences.set(key, audience)
    return audience
  }

  /** Null if nothing of the repository would meet it on such a node. */
  function bringerOf(
    kind: Manifest['kind'],
    clause: string,
    arch: Arch,
    offered: readonly Offers[],
  ): PackageName | null {
    const fitting = namesIn(kind, clause).flatMap((name) => {
      return (bringers.get(name) ?? []).filter((each) => each.kind === kind && isFor(each, arch))
    })
    const isMetBy = (added: readonly Manifest[]) => isMet(kind, clause, [...offered, offersBy(added)])
    if (!isMetBy(fitting)) return null
    return (fitting.find((each) => isMetBy([each])) ?? fitting[0])?.name ?? null
  }

  function note({ wanted, kind, clause, bringer }: Need, hasBase: boolean, node: NodeName | null): void {
    const { name, version, line } = wanted
    const rule = revision.rules.find((each) => each.line === line)
    const names = namesIn(kind, clause)
    const isFile = names.every((each) => each.startsWith('/'))
    const state = bringer !== null || (hasBase && !isFile) ? 'missing' : 'unknown'
    const key = [name, version, clause, line, state].join('\n')
    const known = found.get(key) ?? {
      ...{ package: name, version, needs: clause, line, state, published: bringer, count: 0, nodes: [] },
      rule: { nodes: rule?.nodes ?? 'all', except: rule?.except ?? [] },
    }
    if (node !== null) {
      known.count += 1
      if (known.nodes.length < limits.findingsNamedMax) known.nodes.push(node)
    }
    found.set(key, known as Unmet)
  }

  return {
    take(report) {
      const { node, arch, labels, facts, site } = report
      const groups = groupsOf(revision, { name: node, site: site ?? '', arch, labels, facts })
      const { needs, mentioned, hasBase } = audienceOf(groups, arch)
      if (needs.length === 0) return
      const there = report.packages.flatMap(({ name, version }) => {
        const wanted = mentioned.get(name)
        // What the revision takes away, by a word or by none, brings nothing.
        if (version === null || wanted === undefined || wanted.state === 'absent') return []
        const of = published.get(`${name} ${version}`) ?? []
        return of.filter((manifest) => isFor(manifest, arch))
      })
      const said = new Set(there.flatMap(({ depends }) => depends))
      // What the revision wants there is reckoned with already, in the version that will be there.
      const staying = there.filter(({ name }) => {
        const wanted = mentioned.get(name)
        return wanted?.state !== 'present' || wanted.terms?.mode === 'audit'
      })
      const offered = offersByKind(staying)
      for (const need of needs) {
        const { kind, clause } = need
        if (!said.has(clause) && !isMet(kind, clause, [offered.get(kind) ?? nothing])) note(need, hasBase, node)
      }
    },

    unmet() {
      // Rules for nodes that nobody knows yet: as if there were one in each of their groups alone.
      for (const rule of revision.rules.filter(({ line }) => !linesSeen.has(line))) {
        for (const group of rule.nodes === 'all' ? [null] : rule.nodes) {
          for (const arch of archsOf(rule)) {
            const { needs, hasBase } = audienceOf(new Set(group === null ? [] : [group]), arch)
            for (const need of needs) if (need.wanted.line === rule.line) note(need, hasBase, null)
          }
        }
      }
      const order = (a: Unmet, b: Unmet) =>
        compare(a.state, b.state) || compare(a.package, b.package) || a.line - b.line
      return [...found.values()].sort(order)
    },
  }
}

function isFor(manifest: Manifest, arch: Arch): boolean {
  return manifest.arch === 'all' || manifest.arch === arch
}

const nothing: Offers = new Map()

/** A tree, or a package of another package manager, is nothing to a deb or an rpm. */
function offersByKind(manifests: readonly Manifest[]): Map<Manifest['kind'], Offers> {
  const kinds = Map.groupBy(manifests, ({ kind }) => kind)
  return new Map([...kinds].map(([kind, of]) => [kind, offersBy(of)]))
}

function offersBy(manifests: readonly Manifest[]): Offers {
  const offers = new Map<string, Offer[]>()
  for (const [name, offer] of manifests.flatMap(offersOf)) offers.set(name, [...(offers.get(name) ?? []), offer])
  return offers
}

function withoutAbsent(offers: Offers, mentioned: ReadonlyMap<PackageName, DesiredPackage>): Offers {
  const absent = [...mentioned.values()].filter(({ name, state }) => state === 'absent' && offers.has(name))
  if (absent.length === 0) return offers
  const left = new Map(offers)
  for (const { name } of absent) left.delete(name)
  return left
}

function archsOf({ packages }: Rule): Arch[] {
  const archs = Object.values(packages).flatMap((wanted) =>
    wanted.state === 'present' ? Object.keys(wanted.builds) : [],
  )
  const single = new Set(archs.filter((arch) => arch !== 'all'))
  return (single.size === 0 ? ['amd64'] : [...single]) as Arch[]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
