// Which steps belong together: a package, the packages it depends on, and the changes that the plan
// ties to it go in one transaction. Pure.

import type { PackageName } from '../../model/names.ts'
import { namesNeededBy, namesOfferedBy } from '../../model/needs.ts'
import { keyOf } from '../differences.ts'
import type { Step } from './provider.ts'

/**
 * The packages of `steps` that need one of the failed packages, directly or through others, each
 * with the package that it needs.
 */
export function dependentsOf(steps: readonly Step[], failed: ReadonlySet<PackageName>): Map<PackageName, PackageName> {
  const needing = new Map<PackageName, PackageName>()
  const fallen = new Map<string, PackageName>()
  const fall = (name: PackageName) => {
    const manifest = steps.find(({ action }) => action.name === name)?.manifest
    for (const offered of manifest ? namesOfferedBy(manifest) : [name]) fallen.set(offered, name)
  }
  for (const name of failed) fall(name)
  for (let isNew = true; isNew; ) {
    isNew = false
    for (const { action, manifest } of steps) {
      if (manifest === null || failed.has(action.name) || needing.has(action.name)) continue
      const cause = namesNeededBy(manifest).flatMap((needed) => fallen.get(needed) ?? [])[0]
      if (cause === undefined) continue
      needing.set(action.name, cause)
      fall(action.name)
      isNew = true
    }
  }
  return needing
}

/**
 * The steps that the plan ties to one of `names`, directly or through others, each with the package
 * that it is not carried out without. All of one kind.
 */
export function tiedTo(steps: readonly Step[], names: Iterable<PackageName>): Map<PackageName, PackageName> {
  const [first] = steps
  if (first === undefined) return new Map()
  const keys = [...names].map((name) => keyOf(first.action.kind, name))
  return new Map([...keysTiedTo(steps, keys)].map(([key, cause]) => [nameIn(key), nameIn(cause)]))
}

/** As `tiedTo`, for steps of several kinds. Packages are told by `keyOf`. */
export function keysTiedTo(steps: readonly Step[], keys: Iterable<string>): Map<string, string> {
  const tied = new Map<string, string>()
  const without = new Set(keys)
  for (let isNew = true; isNew; ) {
    isNew = false
    for (const { action } of steps) {
      const key = keyOf(action.kind, action.name)
      if (without.has(key)) continue
      const cause = action.together?.find((one) => without.has(one))
      if (cause === undefined) continue
      tied.set(key, cause)
      without.add(key)
      isNew = true
    }
  }
  return tied
}

/** The name in a key of `keyOf`. */
export function nameIn(key: string): PackageName {
  return key.slice(key.indexOf('/') + 1)
}

/**
 * The steps in groups that do not depend on each other. Groups that only remove come last, so that
 * nothing needs those packages any more.
 */
export function groupsOf(steps: readonly Step[]): Step[][] {
  const leaders = new Map<PackageName, PackageName>(steps.map(({ action }) => [action.name, action.name]))
  const leaderOf = (name: PackageName): PackageName => {
    let leader = name
    for (let next = leaders.get(leader); next !== undefined && next !== leader; next = leaders.get(leader))
      leader = next
    leaders.set(name, leader)
    return leader
  }
  const offering = new Map<string, PackageName[]>()
  for (const { action, manifest } of steps) {
    for (const offered of manifest === null ? [action.name] : namesOfferedBy(manifest)) {
      offering.set(offered, [...(offering.get(offered) ?? []), action.name])
    }
  }
  for (const { action, manifest } of steps) {
    for (const needed of manifest === null ? [] : namesNeededBy(manifest)) {
      for (const name of offering.get(needed) ?? []) leaders.set(leaderOf(name), leaderOf(action.name))
    }
    for (const name of (action.together ?? []).map(nameIn)) {
      if (leaders.has(name)) leaders.set(leaderOf(name), leaderOf(action.name))
    }
  }
  const groups = [...Map.groupBy(steps, ({ action }) => leaderOf(action.name)).values()]
  const onlyRemoves = (group: readonly Step[]) => group.every(({ action }) => action.what === 'remove')
  return [...groups.filter((group) => !onlyRemoves(group)), ...groups.filter(onlyRemoves)]
}
