// What a release means for rollouts: which packages begin one, which continue one, and what nodes
// keep meanwhile. Pure.

import { isDeepStrictEqual } from 'node:util'
import { limits } from '../../model/limits.ts'
import type { Instant, PackageName } from '../../model/names.ts'
import { own } from '../../model/packages/records.ts'
import type { Earlier, Revision, Rule } from '../../model/revision.ts'
import { isOut, type RolloutState, rolloutNameOf } from '../../model/rollouts.ts'

/**
 * Marks in the draft what it rolls out. A package that a rule with a rollout wants exactly as the
 * same rule did in the last revision continues its rollout; any other package of such a rule begins
 * one with this revision. The revision carries what was wanted before along, newest first, back to
 * what every node may have: nodes keep that until their wave opens.
 */
export function revisionRollingOut(draft: Revision, last: Revision | null, states: readonly RolloutState[]): Revision {
  const marked = draft.rules.map((rule): Rule => {
    const since = sinceOf(rule, last, draft.number, states)
    return Object.keys(since).length === 0 ? rule : { ...rule, since }
  })
  const rules = withinLimit(marked, states)
  const isUnfinished = (rule: Rule, name: PackageName) => {
    const since = own(rule.since, name)
    const rollout = rule.terms?.rollout
    if (since === undefined || rollout === undefined) return false
    return !isFinished({ rollout, since }, states)
  }
  const begun = packagesOf(rules, (since) => since === draft.number)
  const going = packagesOf(rules, (since) => since !== draft.number)
  const stillGoing = new Set(
    rules.flatMap((rule) => Object.keys(rule.packages).filter((name) => going.has(name) && isUnfinished(rule, name))),
  )
  const replaced = new Set(
    last?.rules.flatMap((rule) =>
      Object.keys(rule.packages).filter((name) => begun.has(name) && isUnfinished(rule, name)),
    ),
  )
  const earlier: Earlier[] = last === null ? [] : [restricted(last, begun)]
  const kept = new Set([...stillGoing, ...replaced])
  for (const each of last?.earlier ?? []) earlier.push(restricted(each, kept))
  const useful = earlier.filter((each) => each.rules.length > 0)
  // The last one stays: it is what nodes have whose wave never opened in any of these rollouts.
  const bounded = [...useful.slice(0, -1).slice(0, limits.earlierMax - 1), ...useful.slice(-1)]
  return { ...draft, rules: [...rules], ...(bounded.length > 0 && { earlier: bounded }) }
}

/**
 * The state of every rollout that the revision names. A known rollout keeps its state; a new one
 * has its first wave open.
 */
export function statesUnder(revision: Revision, states: readonly RolloutState[], now: Instant): RolloutState[] {
  const named = rolloutsIn(revision.rules)
  const replaced = states.filter((state) => !named.has(rolloutNameOf(state)) && !isOut(state))
  return [...named.values()].flatMap((one) => {
    const state = states.find((each) => rolloutNameOf(each) === rolloutNameOf(one))
    const rollout = own(revision.rollouts, one.rollout)
    if (state !== undefined || rollout === undefined) return state ?? []
    // A rollout takes the seed of the one that it replaces: the nodes that have the replaced
    // version get its successor first, and no other node is touched before.
    const seed = replaced.find(({ rollout }) => rollout === one.rollout)?.seed ?? rolloutNameOf(one)
    return { ...one, seed, waves: rollout.waves, open: 1, openedAt: now }
  })
}

/** The revision for every node, without waves. */
export function revisionAtOnce({ earlier: _, rules, ...revision }: Revision): Revision {
  return { ...revision, rules: rules.map(({ since: _, ...rule }) => rule) }
}

function sinceOf(
  rule: Rule,
  last: Revision | null,
  number: number,
  states: readonly RolloutState[],
): Record<PackageName, number> {
  const since: Record<PackageName, number> = {}
  if (rule.terms?.rollout === undefined) return since
  const alike = last?.rules.filter(
    ({ nodes, except }) => isDeepStrictEqual(nodes, rule.nodes) && isDeepStrictEqual(except, rule.except),
  )
  for (const [name, wanted] of Object.entries(rule.packages)) {
    const before = alike?.findLast(({ packages }) => own(packages, name) !== undefined)
    const isSame = before !== undefined && isDeepStrictEqual(own(before.packages, name), wanted)
    // Undefined if the package was never rolled out: then every node may have it at once.
    const known = isSame ? own(before.since, name) : number
    if (known === undefined) continue
    const rollout = before?.terms?.rollout
    if (!isSame || rollout === rule.terms.rollout) since[name] = known
    // The rule names another rollout while the first is unfinished: the package begins again, so
    // that not all nodes get it.
    else if (rollout !== undefined && !isFinished({ rollout, since: known }, states)) since[name] = number
  }
  return since
}

/**
 * At most `limits.rolloutsMax` rollouts: the oldest finished ones are no longer named, since every
 * node may have them.
 */
function withinLimit(rules: readonly Rule[], states: readonly RolloutState[]): readonly Rule[] {
  const named = [...rolloutsIn(rules).values()]
  if (named.length <= limits.rolloutsMax) return rules
  const finished = named.filter((one) => isFinished(one, states)).sort((a, b) => a.since - b.since)
  const left = new Set(finished.slice(0, named.length - limits.rolloutsMax).map(rolloutNameOf))
  return rules.map(({ since = {}, ...rule }): Rule => {
    const { rollout = '' } = rule.terms ?? {}
    const kept = Object.entries(since).filter(([, number]) => !left.has(rolloutNameOf({ rollout, since: number })))
    return { ...rule, ...(kept.length > 0 && { since: Object.fromEntries(kept) }) }
  })
}

/** The rollouts that the rules name, by their own names. */
function rolloutsIn(rules: readonly Rule[]): Map<string, Pick<RolloutState, 'rollout' | 'since'>> {
  const named = new Map<string, Pick<RolloutState, 'rollout' | 'since'>>()
  for (const { terms, since = {} } of rules) {
    const { rollout } = terms ?? {}
    if (rollout === undefined) continue
    for (const number of Object.values(since)) {
      const one = { rollout, since: number }
      named.set(rolloutNameOf(one), one)
    }
  }
  return named
}

function isFinished(one: Pick<RolloutState, 'rollout' | 'since'>, states: readonly RolloutState[]): boolean {
  const state = states.find((each) => rolloutNameOf(each) === rolloutNameOf(one))
  return state !== undefined && isOut(state)
}

function packagesOf(rules: readonly Rule[], is: (since: number) => boolean): Set<PackageName> {
  return new Set(
    rules.flatMap(({ since = {} }) => Object.entries(since).flatMap(([name, number]) => (is(number) ? [name] : []))),
  )
}

/** Keeps only these packages, and only the groups that their rules name. */
function restricted({ groups, rules }: Earlier, names: ReadonlySet<PackageName>): Earlier {
  const kept = rules.flatMap(({ line, nodes, except, packages }): Rule[] => {
    const own = Object.entries(packages).filter(([name]) => names.has(name))
    return own.length === 0 ? [] : [{ line, nodes, except, packages: Object.fromEntries(own) }]
  })
  const used = new Set(kept.flatMap(({ nodes, except }) => [...(nodes === 'all' ? [] : nodes), ...except]))
  return { groups: Object.fromEntries(Object.entries(groups).filter(([name]) => used.has(name))), rules: kept }
}
