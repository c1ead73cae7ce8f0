// Which changes of a release belong together. What takes the place of another package, what cannot
// be beside it, and what others need of both are one thought: nothing goes before its replacement
// is here, and nothing comes before its place is free. Pure.

import type { Kind, Relations } from '../model/manifest.ts'
import type { PackageName } from '../model/names.ts'
import { isMet, namesIn, type Offer, type Offers, offersOf } from '../model/needs.ts'

/** One package that a release changes. */
export interface Change {
  key: string
  kind: Kind
  name: PackageName
  /** What the installed version says. Null if none is installed. */
  before: Relations | null
  /** What the wanted version says. Null for a removal. */
  after: Relations | null
}

/** By the key of a change: the changes without which it is not carried out. */
export type Ties = ReadonlyMap<string, ReadonlySet<string>>

/** The ties between changes. `standing` are the wanted packages that do not change. */
export function tiesBetween(changes: readonly Change[], standing: readonly Relations[] = []): Ties {
  const ties = new Map<string, Set<string>>()
  const tie = (change: Change, without: Change) => {
    if (change === without) return
    const known = ties.get(change.key)
    if (known === undefined) ties.set(change.key, new Set([without.key]))
    else known.add(without.key)
  }
  const tieBoth = (one: Change, other: Change) => {
    tie(one, other)
    tie(other, one)
  }
  for (const kind of ['deb', 'rpm'] as const) {
    const sides = sidesOf(changes.filter((change) => change.kind === kind))
    for (const own of sides.all) {
      for (const other of excludedBy(own, sides)) {
        tie(own.change, other.change)
        if (other.change.after === null) tie(other.change, own.change)
      }
      for (const other of excludedUntilGone(own, sides)) {
        tie(other.change, own.change)
        if (own.change.after === null) tie(own.change, other.change)
      }
      for (const other of goneFor(own, sides)) tie(other.change, own.change)
    }
    const clauses = [...standing, ...sides.all.map(({ change }) => change.after)].flatMap((one) =>
      one?.kind === kind ? one.depends : [],
    )
    for (const [gone, come] of replacedIn(kind, sides, clauses)) {
      tie(gone.change, come.change)
      if (gone.change.after === null) tie(come.change, gone.change)
    }
  }
  for (const sameName of Map.groupBy(changes, ({ name }) => name).values()) {
    // A package that changes its kind.
    const gone = sameName.filter(({ after }) => after === null)
    for (const one of gone) for (const come of sameName) if (come.after !== null) tieBoth(one, come)
  }
  return ties
}

/** A change with what it offers before and after. */
interface Side {
  change: Change
  before: Offers
  after: Offers
}

interface Sides {
  all: readonly Side[]
  /** The sides that offer a name before, and after. */
  offeringBefore: ReadonlyMap<string, readonly Side[]>
  offeringAfter: ReadonlyMap<string, readonly Side[]>
}

function sidesOf(changes: readonly Change[]): Sides {
  const all = changes.map((change) => ({
    change,
    before: offersIn(change.before),
    after: offersIn(change.after),
  }))
  return { all, offeringBefore: indexOf(all, 'before'), offeringAfter: indexOf(all, 'after') }
}

function indexOf(sides: readonly Side[], when: 'before' | 'after'): Map<string, Side[]> {
  const index = new Map<string, Side[]>()
  for (const side of sides) {
    for (const name of side[when].keys()) {
      const known = index.get(name)
      if (known === undefined) index.set(name, [side])
      else known.push(side)
    }
  }
  return index
}

function offersIn(relations: Relations | null): Offers {
  const offers = new Map<string, Offer[]>()
  for (const [name, offer] of relations === null ? [] : offersOf(relations)) {
    offers.set(name, [...(offers.get(name) ?? []), offer])
  }
  return offers
}

/** The others that meet a clause before the release and not after it, or the other way round. */
function meeting(kind: Kind, clause: string, sides: Sides, when: 'before' | 'after'): Side[] {
  const index = when === 'before' ? sides.offeringBefore : sides.offeringAfter
  const candidates = new Set(namesIn(kind, clause).flatMap((name) => index.get(name) ?? []))
  const otherwise = when === 'before' ? 'after' : 'before'
  return [...candidates].filter((side) => isMet(kind, clause, [side[when]]) && !isMet(kind, clause, [side[otherwise]]))
}

/** What has to go, or to be another version, so that the wanted version can come. */
function excludedBy({ change: { kind, after } }: Side, sides: Sides): Side[] {
  const clauses = [...(after?.conflicts ?? []), ...(after?.replaces ?? [])]
  return clauses.flatMap((clause) => meeting(kind, clause, sides, 'before'))
}

/** What can come only once the installed version is gone, or another. */
function excludedUntilGone({ change: { kind, before } }: Side, sides: Sides): Side[] {
  return (before?.conflicts ?? []).flatMap((clause) => meeting(kind, clause, sides, 'after'))
}

/** What the installed version needs, and the release takes away or changes. */
function goneFor({ change: { kind, before } }: Side, sides: Sides): Side[] {
  return (before?.depends ?? []).flatMap((clause) => meeting(kind, clause, sides, 'before'))
}

/**
 * Pairs of what goes, or no longer offers something, and what comes in its place: both offer one
 * name, or both meet one of `clauses`.
 */
function replacedIn(kind: Kind, sides: Sides, clauses: readonly string[]): [Side, Side][] {
  const pairs: [Side, Side][] = []
  const pair = (gone: readonly Side[], come: readonly Side[]) => {
    for (const one of gone) for (const other of come) pairs.push([one, other])
  }
  if (sides.offeringBefore.size === 0) return pairs
  for (const [name, come] of sides.offeringAfter) {
    if (isRemark(name)) continue
    const gone = (sides.offeringBefore.get(name) ?? []).filter(({ after }) => !after.has(name))
    const fresh = come.filter(({ before }) => !before.has(name))
    pair(gone, fresh)
  }
  for (const clause of new Set(clauses)) {
    pair(meeting(kind, clause, sides, 'before'), meeting(kind, clause, sides, 'after'))
  }
  return pairs
}

/** Provides of rpm packages that say what is inside, and that nobody needs. */
function isRemark(name: string): boolean {
  return /^(bundled|application|mimehandler|metainfo|config)\(/.test(name)
}
