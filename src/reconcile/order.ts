// The order in which the actions of a plan are carried out. Pure.

import type { Kind, Manifest } from '../model/manifest.ts'
import type { PackageName, Sha256 } from '../model/names.ts'
import { namesNeededBy, namesOfferedBy } from '../model/needs.ts'
import { compareText, keyOf, type What } from './differences.ts'

/** What the order goes by. */
export interface Ordered {
  kind: Kind
  name: PackageName
  what: What
  source: { manifest: Sha256 } | null
  together?: readonly string[]
}

/**
 * A tree's hooks may need what debs and rpms bring, so trees are removed first and installed last.
 * The debs are one transaction, removals and installations together, so that a package may take the
 * place of one that goes. What goes because its name is of another kind now comes after everything:
 * by then the package of the other kind is there.
 */
export function inOrder<One extends Ordered>(actions: readonly One[], manifests: ReadonlyMap<Sha256, Manifest>): One[] {
  const late = lateAmong(actions, manifests)
  const rankOf = (action: One) => (late.has(action) ? lateRankOf(action) : usualRankOf(action))
  return [...actions].sort((a, b) => rankOf(a) - rankOf(b) || compareText(a.name, b.name))
}

/** What a package goes for that is of another kind, by `keyOf`. Empty if nothing is. */
export function kindsChangedBy({ kind, what, together = [] }: Ordered): string[] {
  return what === 'remove' ? together.filter((key) => !key.startsWith(`${kind}/`)) : []
}

/**
 * The removals that wait for a package of another kind, with what is in one transaction with them or
 * needs what that brings.
 */
function lateAmong(actions: readonly Ordered[], manifests: ReadonlyMap<Sha256, Manifest>): Set<Ordered> {
  const late = new Set(actions.filter((action) => kindsChangedBy(action).length > 0))
  if (late.size === 0) return late
  const manifestOf = ({ source }: Ordered) => (source === null ? undefined : manifests.get(source.manifest))
  const isTied = (one: Ordered, other: Ordered) => one.together?.includes(keyOf(other.kind, other.name)) ?? false
  const needs = (one: Ordered, other: Ordered) => {
    const [own, its] = [manifestOf(one), manifestOf(other)]
    if (own === undefined || its === undefined) return false
    const offered = new Set(namesOfferedBy(its))
    return namesNeededBy(own).some((name) => offered.has(name))
  }
  const todo = [...late]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    for (const one of actions) {
      if (late.has(one) || one.kind !== next.kind || one.kind === 'tree') continue
      if (!isTied(one, next) && !isTied(next, one) && !needs(one, next)) continue
      late.add(one)
      todo.push(one)
    }
  }
  return late
}

function usualRankOf({ kind, what }: Ordered): number {
  return what === 'remove' ? { tree: 0, deb: 1, rpm: 3 }[kind] : { deb: 2, rpm: 4, tree: 5 }[kind]
}

function lateRankOf({ kind, what }: Ordered): number {
  return what === 'remove' ? { deb: 6, rpm: 8, tree: 10 }[kind] : { deb: 7, rpm: 9, tree: 10 }[kind]
}
