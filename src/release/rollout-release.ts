// What a release means for rollouts: what of it begins one, what goes on, and what nodes keep meanwhile. Pure.

import { isDeepStrictEqual } from 'node:util'
import { limits } from '../model/limits.ts'
import type { Instant, PackageName } from '../model/names.ts'
import type { Earlier, Revision, Rule } from '../model/revision.ts'
import { isOut, type RolloutState, rolloutNameOf } from '../model/rollouts.ts'

/**
 * The revision with what it rolls out marked: a package that a rule with a rollout wants as the same rule did in the last
 * revision goes on as it was, any other begins now. What was wanted before goes along, back to what every node may have.
 */
export function revisionRollingOut(draft: Revision, last: Revision | null, states: readonly RolloutState[]): Revision {
  const marked = draft.rules.map((rule): Rule => {
    const since = sinceOf(rule, last, draft.number, states)
    return Object.keys(since).length === 0 ? rule : { ...rule, since }
  })
  const rules = withinLimit(marked, states)
  const unfinished = (rule: Rule, name: PackageName) => {
    const since = rule.since?.[name]
    const rollout = rule.terms?.rollout
    if (since === undefined || rollout === undefined) return false
    return !isFinished({ rollout, since }, states)
  }
  const begun = packagesOf(rules, (since) => since === draft.number)
  const going = packagesOf(rules, (since) => since !== draft.number)
  const stillGoing = new Set(
    rules.flatMap((rule) => Object.keys(rule.packages).filter((name) => going.has(name) && unfinished(rule, name))),
  )
  const replaced = new Set(
    last?.rules.flatMap((rule) =>
      Object.keys(rule.packages).filter((name) => begun.has(name) && unfinished(rule, name)),
    ),
  )
  const earlier: Earlier[] = last === null ? [] : [restricted(last, begun)]
  const kept = new Set([...stillGoing, ...replaced])
  for (const each of last?.earlier ?? []) earlier.push(restricted(each, kept))
  const useful = earlier.filter((each) => each.rules.length > 0)
  // The last one is for nodes that never had any of it.
  const bounded = [...useful.slice(0, -1).slice(0, limits.earlierMax - 1), ...useful.slice(-1)]
  return { ...draft, rules: [...rules], ...(bounded.length > 0 && { earlier: bounded }) }
}

/** The state of every rollout that the revision names: those under way as they are, new ones with their first wave open. */
export function statesUnder(revision: Revision, states: readonly RolloutState[], now: Instant): RolloutState[] {
  const named = rolloutsIn(revision.rules)
  const replaced = states.filter((state) => !named.has(rolloutNameOf(state)) && !isOut(state))
  return [...named.values()].flatMap((one) => {
    const state = states.find((each) => rolloutNameOf(each) === rolloutNameOf(one))
    const rollout = revision.rollouts?.[one.rollout]
    if (state !== undefined || rollout === undefined) return state ?? []
    // Who has the version that is replaced gets the one that mends it first, and nobody else is touched before.
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
    const before = alike?.findLast(({ packages }) => packages[name] !== undefined)
    const isSame = before !== undefined && isDeepStrictEqual(before.packages[name], wanted)
    // Absent if it was never rolled out: then it was for every node at once.
    const known = isSame ? before.since?.[name] : number
    if (known === undefined) continue
    const rollout = before?.terms?.rollout
    if (!isSame || rollout === rule.terms.rollout) since[name] = known
    // Another rollout takes the place of an unfinished one; it must not let all nodes have it.
    else if (rollout !== undefined && !isFinished({ rollout, since: known }, states)) since[name] = number
  }
  return since
}

/** Nodes take so many states. Those that all nodes have had for longest are not named any more: what they brought is out. */
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

/** By name. */
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

/** Of some packages only, and without the groups that nobody asks for then. */
function restricted({ groups, rules }: Earlier, names: ReadonlySet<PackageName>): Earlier {
  const kept = rules.flatMap(({ line, nodes, except, packages }): Rule[] => {
    const own = Object.entries(packages).filter(([name]) => names.has(name))
    return own.length === 0 ? [] : [{ line, nodes, except, packages: Object.fromEntries(own) }]
  })
  const used = new Set(kept.flatMap(({ nodes, except }) => [...(nodes === 'all' ? [] : nodes), ...except]))
  return { groups: Object.fromEntries(Object.entries(groups).filter(([name]) => used.has(name))), rules: kept }
}
