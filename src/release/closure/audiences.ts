// The needs that a revision and the base lists leave unmet, for nodes of the same groups and
// architecture that get the same builds. Pure.

import { type DesiredPackage, desiredInGroups, type Machine } from '../../model/desired.ts'
import type { Kind, Manifest } from '../../model/manifest.ts'
import { archInName, type PackageName, type Sha256 } from '../../model/names.ts'
import { isConditional, isMet, namesIn, type Offers, offersOf as offersIn } from '../../model/needs.ts'
import { own } from '../../model/packages/records.ts'
import { type Revision, targetFactsOf } from '../../model/revision.ts'
import { isFor, noOffers, offersBy, offersByKind } from './offers.ts'

/** A clause of a package that neither the revision nor a base list meets. */
export interface Need {
  wanted: Extract<DesiredPackage, { state: 'present' }>
  kind: Kind
  /** One of the `depends` of the package's manifest. */
  clause: string
  /** The published package that would meet the clause; null if there is none. */
  bringer: PackageName | null
}

/** The nodes of the same groups and architecture that get the same builds. */
export interface Audience {
  /** Those that are unmet, and those that what else is on a node may make unmet. */
  needs: Need[]
  /** What the revision brings these nodes and what they have from the start. */
  offersOf(kind: Kind): Offers[]
  /** The packages that the revision mentions for these nodes. */
  mentioned: ReadonlyMap<PackageName, DesiredPackage>
  /** Whether a base list says what the distribution of these nodes brings along. */
  hasBase: boolean
}

export interface Audiences {
  of(groups: ReadonlySet<string>, machine: Machine): Audience
  /** Lines of the rules that apply to any of the audiences so far. */
  lines(): ReadonlySet<number>
}

export interface AudiencesParts {
  revision: Revision
  /** Everything published, by the digest of its manifest. */
  manifests: ReadonlyMap<Sha256, Manifest>
  /** Base lists by group, or by `all`. */
  base: ReadonlyMap<string, Offers>
}

export function createAudiences(parts: AudiencesParts): Audiences {
  const bringerOf = bringersAmong(parts.manifests)
  const audiences = new Map<string, Audience>()
  const lines = new Set<number>()
  const targetFacts = [...targetFactsOf(parts.revision)]
  return {
    of(groups, { arch, facts }) {
      const key = JSON.stringify([arch, targetFacts.map((fact) => own(facts, fact) ?? null), ...groups])
      const known = audiences.get(key)
      if (known !== undefined) return known
      const desired = desiredInGroups(parts.revision, groups, { arch, facts })
      for (const { line } of desired) lines.add(line)
      const audience = audienceOf(parts, { groups, machine: { arch, facts }, desired }, bringerOf)
      audiences.set(key, audience)
      return audience
    },
    lines: () => lines,
  }
}

interface Members {
  groups: ReadonlySet<string>
  machine: Machine
  desired: readonly DesiredPackage[]
}

type BringerOf = (kind: Kind, clause: string, machine: Machine, offered: readonly Offers[]) => PackageName | null

function audienceOf(parts: AudiencesParts, { groups, machine, desired }: Members, bringerOf: BringerOf): Audience {
  const mentioned = new Map(desired.map((wanted) => [wanted.name, wanted]))
  const lists = [...parts.base].flatMap(([group, offers]) => (group === 'all' || groups.has(group) ? [offers] : []))
  const brought = lists.map((offers) => withoutAbsent(offers, mentioned))
  const coming = desired.flatMap((wanted) => {
    // A rule in audit mode brings nothing. What a package for another architecture needs and
    // offers is for that architecture, and the node's package manager knows it.
    if (wanted.state !== 'present' || wanted.terms?.mode === 'audit' || archInName(wanted.name) !== undefined) return []
    const manifest = parts.manifests.get(wanted.manifest)
    return manifest === undefined ? [] : [{ wanted, manifest }]
  })
  const own = offersByKind(coming.map(({ manifest }) => manifest))
  const offersOf = (kind: Kind) => [own.get(kind) ?? noOffers, ...brought]
  const needs = coming.flatMap(({ wanted, manifest: { kind, depends } }): Need[] => {
    const offered = offersOf(kind)
    return depends
      .filter((clause) => isConditional(kind, clause) || !isMet(kind, clause, offered))
      .map((clause) => ({ wanted, kind, clause, bringer: bringerOf(kind, clause, machine, offered) }))
  })
  return { needs, offersOf, mentioned, hasBase: lists.length > 0 }
}

/** Finds the published package that meets a clause, together with what is offered already. */
function bringersAmong(manifests: ReadonlyMap<Sha256, Manifest>): BringerOf {
  const byOffer = new Map<string, Manifest[]>()
  for (const manifest of manifests.values()) {
    for (const [name] of offersIn(manifest)) byOffer.set(name, [...(byOffer.get(name) ?? []), manifest])
  }
  return (kind, clause, machine, offered) => {
    const fitting = namesIn(kind, clause).flatMap((name) => {
      return (byOffer.get(name) ?? []).filter((each) => each.kind === kind && isFor(each, machine))
    })
    const isMetBy = (added: readonly Manifest[]) => isMet(kind, clause, [...offered, offersBy(added)])
    if (!isMetBy(fitting)) return null
    return (fitting.find((each) => isMetBy([each])) ?? fitting[0])?.name ?? null
  }
}

function withoutAbsent(offers: Offers, mentioned: ReadonlyMap<PackageName, DesiredPackage>): Offers {
  const absent = [...mentioned.values()].filter(({ name, state }) => state === 'absent' && offers.has(name))
  if (absent.length === 0) return offers
  const left = new Map(offers)
  for (const { name } of absent) left.delete(name)
  return left
}
