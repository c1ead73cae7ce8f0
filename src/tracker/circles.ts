// Circles: the children of a site that get pieces from each other. Usually that is all of them; where
// dials between them were in vain, each circle takes from the parent for itself. Pure.

import type { NodeName } from '../model/names.ts'
import { noState, type SiteState } from './gateways.ts'
import type { WholeClaim } from './whole-claims.ts'

/** One child of a site in a swarm, and the siblings that it has dialled in vain. */
export interface Reaching {
  readonly node: NodeName
  readonly unreached: ReadonlySet<NodeName>
  /** Whether it has dialled several siblings in vain and met none. */
  readonly isAlone: boolean
}

/** One circle, and what the last decision about its gateways has left. */
export interface CircleState {
  readonly nodes: ReadonlySet<NodeName>
  readonly state: SiteState
}

/** Whether one of the two has dialled the other in vain, and they have no wire. */
export function areApart(one: Reaching, other: Reaching): boolean {
  return one.isAlone || other.isAlone || one.unreached.has(other.node) || other.unreached.has(one.node)
}

/** The circles of one list of children, each as places in that list. */
export interface Grouping {
  readonly of: readonly Reaching[]
  readonly circles: readonly (readonly number[])[]
}

/**
 * The circles of the children. Who is not known to be apart from a child of a circle is in the circle:
 * pieces go from child to child, and before a dial has failed all are in one. Circles and their
 * children keep the order of the children. A site can have thousands of children, each of which
 * announces every few seconds: the grouping `before` is kept if the same children reach the same ones.
 */
export function groupingOf(children: readonly Reaching[], before?: Grouping): Grouping {
  if (before !== undefined && isSame(before.of, children)) return before
  const all = children.map((_, place) => place)
  const isPlain = children.every(({ unreached, isAlone }) => unreached.size === 0 && !isAlone)
  if (isPlain) return { of: children, circles: all.length === 0 ? [] : [all] }
  const alone = all.filter((place) => children[place]?.isAlone).map((place) => [place])
  const circles = [...alone, ...circlesAmong(children)]
  return { of: children, circles: circles.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0)) }
}

export function circlesIn<Child extends Reaching>(children: readonly Child[], { circles }: Grouping): Child[][] {
  return circles.map((places) => places.flatMap((place) => children[place] ?? []))
}

function isSame(some: readonly Reaching[], others: readonly Reaching[]): boolean {
  if (some.length !== others.length) return false
  return some.every(({ node, unreached, isAlone }, place) => {
    const other = others[place]
    return other?.node === node && other.unreached === unreached && other.isAlone === isAlone
  })
}

/**
 * The circles of the children that are not alone. Each joins one circle once, and is compared further
 * only where one of two lists the other: so the work is that of reading the lists, and not that of all
 * pairs.
 */
function circlesAmong(children: readonly Reaching[]): number[][] {
  let left = [...children.entries()].filter(([, { isAlone }]) => !isAlone)
  const circles: number[][] = []
  for (let first = left[0]; first !== undefined; first = left[0]) {
    const circle = [first]
    left = left.slice(1)
    // The circle grows while it is walked. Only children that are apart from `one` are met again.
    for (const [, one] of circle) {
      if (left.length === 0) break
      const apart: typeof left = []
      for (const each of left) (areApart(one, each[1]) ? apart : circle).push(each)
      left = apart
    }
    circles.push(circle.map(([place]) => place).sort((a, b) => a - b))
  }
  return circles
}

/**
 * The state that each circle begins with. Who was gateway stays gateway, also if the circle has become
 * another one; of circles that have joined, all gateways stay. The work is that of reading what is
 * known of each child once.
 */
export function inCircles(before: readonly CircleState[], circles: readonly (readonly Reaching[])[]): CircleState[] {
  const nodesOf = circles.map((circle) => new Set(circle.map(({ node }) => node)))
  const [only] = nodesOf
  // Of children that have left, the only circle keeps what is known.
  if (only !== undefined && nodesOf.length === 1) {
    return [{ nodes: only, state: joined(before.map(({ state }) => state)) }]
  }
  const placeOf = new Map(circles.flatMap((circle, place) => circle.map(({ node }) => [node, place] as const)))
  const inherited = circles.map((): SiteState[] => [])
  for (const each of before) for (const [place, state] of divided(each, placeOf)) inherited[place]?.push(state)
  return nodesOf.map((nodes, place) => ({ nodes, state: joined(inherited[place] ?? []) }))
}

/** What each of the present circles inherits of a former one. */
function divided({ nodes, state }: CircleState, placeOf: ReadonlyMap<NodeName, number>): Map<number, SiteState> {
  const shares = new Map<number, Share>()
  for (const node of nodes) {
    const place = placeOf.get(node)
    if (place === undefined || shares.has(place)) continue
    // A circle of one has nobody who could have left it.
    if (nodes.size === 1) return new Map([[place, state]])
    shares.set(place, { ...state, gateways: [], resting: [], behind: new Map(), claims: new Map() })
  }
  const shareOf = (node: NodeName) => shares.get(placeOf.get(node) ?? Number.NaN)
  for (const each of state.gateways) shareOf(each.node)?.gateways.push(each)
  for (const each of state.resting) shareOf(each.node)?.resting.push(each)
  for (const [node, each] of state.behind) shareOf(node)?.behind.set(node, each)
  for (const [node, each] of state.claims) shareOf(node)?.claims.set(node, each)
  return shares
}

/** A state that is still being filled. */
interface Share extends SiteState {
  gateways: SiteState['gateways'][number][]
  resting: SiteState['resting'][number][]
  behind: Map<NodeName, { readonly bytes: number; readonly sinceMs: number }>
  claims: Map<NodeName, WholeClaim>
}

function joined(states: readonly SiteState[]): SiteState {
  const [first = noState, ...others] = states
  if (others.length === 0) return first
  return {
    gateways: states.flatMap(({ gateways }) => gateways),
    resting: states.flatMap(({ resting }) => resting),
    behind: new Map(states.flatMap(({ behind }) => [...behind])),
    claims: new Map(states.flatMap(({ claims }) => [...claims])),
    most: Math.max(...states.map(({ most }) => most)),
    hasWhole: states.some(({ hasWhole }) => hasWhole),
    stalls: Math.min(...states.map(({ stalls }) => stalls)),
    electedMs: Math.max(...states.map(({ electedMs }) => electedMs)),
  }
}
