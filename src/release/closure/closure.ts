// Whether the nodes would have everything that the packages of a revision need, computed before it
// is signed. Pure; reads one report after the other, because the reports of a fleet do not fit into
// memory together.

import { groupsOf, type Machine } from '../../model/desired.ts'
import type { Manifest } from '../../model/manifest.ts'
import { archInName } from '../../model/names.ts'
import { isConditional, isMet } from '../../model/needs.ts'
import { targetText } from '../../model/packages/target.ts'
import { policySiteOf, type Report } from '../../model/report.ts'
import { eachBuildOf, type Rule } from '../../model/revision.ts'
import { type Audience, type AudiencesParts, createAudiences } from './audiences.ts'
import { isFor, noOffers, offersByKind } from './offers.ts'
import { createUnmetNeeds, type Unmet } from './unmet-needs.ts'

export interface Closure {
  add(report: Report): void
  /** Call once, after the last report. Missing needs first, then by package and line. */
  unmet(): Unmet[]
}

/**
 * A need is met by what the revision wants on the same node, by the base lists of the node's
 * groups, and by what its report shows: a package that stays installed, or an installed package
 * whose manifest states the same need.
 */
export function createClosure(parts: AudiencesParts): Closure {
  const { revision, manifests } = parts
  const audiences = createAudiences(parts)
  const unmet = createUnmetNeeds(revision)
  const published = Map.groupBy(manifests.values(), ({ name, version }) => `${name} ${version}`)

  return {
    add(report) {
      const { node, arch, labels, facts } = report
      const groups = groupsOf(revision, { name: node, site: policySiteOf(report), arch, labels, facts })
      const audience = audiences.of(groups, { arch, facts })
      if (audience.needs.length === 0) return
      const installed = installedOn(report, audience, published)
      const statedBefore = new Set(installed.flatMap(({ depends }) => depends))
      const offered = offersByKind(installed.filter((manifest) => isStaying(manifest, audience)))
      for (const need of audience.needs) {
        const { kind, clause } = need
        // What the revision adds may be the partner of a condition that was fine before.
        if (statedBefore.has(clause) && !isConditional(kind, clause)) continue
        if (isMet(kind, clause, [...audience.offersOf(kind), offered.get(kind) ?? noOffers])) continue
        unmet.add(need, audience.hasBase, node)
      }
    },

    unmet() {
      const reached = audiences.lines()
      for (const rule of revision.rules.filter(({ line }) => !reached.has(line))) {
        for (const [groups, machine] of audiencesImaginedFor(rule)) {
          const { needs, offersOf, hasBase } = audiences.of(groups, machine)
          const open = needs.filter(({ kind, clause }) => !isMet(kind, clause, offersOf(kind)))
          for (const need of open) if (need.wanted.line === rule.line) unmet.add(need, hasBase, null)
        }
      }
      return unmet.sorted()
    },
  }
}

/**
 * The published packages that a node has. What the revision removes, by a rule or by no longer
 * mentioning it, is left out.
 */
function installedOn(
  { packages, arch, facts }: Report,
  { mentioned }: Audience,
  published: ReadonlyMap<string, readonly Manifest[]>,
): Manifest[] {
  return packages.flatMap(({ name, version }) => {
    const wanted = mentioned.get(name)
    if (version === null || wanted === undefined || wanted.state === 'absent') return []
    return (published.get(`${name} ${version}`) ?? []).filter((manifest) => isFor(manifest, { arch, facts }))
  })
}

/**
 * Whether the version that is installed now stays. The audience already counts what the revision
 * wants instead.
 */
function isStaying({ name }: Manifest, { mentioned }: Audience): boolean {
  const wanted = mentioned.get(name)
  return wanted?.state !== 'present' || wanted.terms?.mode === 'audit'
}

/**
 * For a rule without a known node: as if there were one node for each of its builds in each of its
 * groups, and in no other.
 */
function audiencesImaginedFor(rule: Rule): [groups: ReadonlySet<string>, machine: Machine][] {
  const groups = rule.nodes === 'all' ? [[]] : rule.nodes.map((group) => [group])
  return groups.flatMap((each) => machinesOf(rule).map((machine): [Set<string>, Machine] => [new Set(each), machine]))
}

function machinesOf({ packages }: Rule): Machine[] {
  const own = Object.entries(packages).filter(([name]) => archInName(name) === undefined)
  const builds = own.flatMap(([, wanted]) => eachBuildOf(wanted))
  const single = builds.filter(({ arch }) => arch !== 'all')
  const archs = single.length === 0 ? (['amd64'] as const) : new Set(single.map(({ arch }) => arch))
  const targets = new Map(builds.map(({ target }) => [targetText(target), target ?? {}]))
  return [...archs].flatMap((arch) => [...targets.values()].map((facts) => ({ arch, facts })))
}
