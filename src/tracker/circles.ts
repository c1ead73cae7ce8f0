// Circles: the children of a site that get pieces from each other. Usually that is all of them; where
// dials between them were in vain, each circle takes from the parent for itself. Pure.

import type { NodeName } from '../model/names.ts'
import { noState, type SiteState } from './gateways.ts'

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

/**
 * The children by circle. Who is not known to be apart from a child of a circle is in the circle:
 * pieces go from child to child, and before a dial has failed all are in one. Circles and their
 * children keep the order of the children.
 */
export function circlesOf<Child extends Reaching>(children: readonly Child[]): Child[][] {
  const everybody = [...children]
  if (everybody.every(({ unreached, isAlone }) => unreached.size === 0 && !isAlone)) {
    return everybody.length === 0 ? [] : [everybody]
  }
  const circles: Child[][] = []
  const order = new Map(everybody.map((child, index) => [child, index]))
  let left = everybody
  for (let first = left[0]; first !== undefined; first = left[0]) {
    const circle = [first]
    left = left.slice(1)
    // The circle grows while it is walked. Only children that are apart from `one` are met again.
    for (const one of circle) {
      const apart: Child[] = []
      for (const each of left) (areApart(one, each) ? apart : circle).push(each)
      left = apart
    }
    circles.push(circle.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)))
  }
  return circles
}

/**
 * The state that each circle begins with. Who was gateway stays gateway, also if the circle has become
 * another one; of circles that have joined, all gateways stay.
 */
export function inCircles(before: readonly CircleState[], circles: readonly (readonly Reaching[])[]): CircleState[] {
  return circles.map((circle) => {
    const nodes = new Set(circle.map(({ node }) => node))
    if (circles.length === 1) return { nodes, state: joined(before.map(({ state }) => state)) }
    const former = before.filter((each) => isSome(nodes, each))
    return { nodes, state: within(joined(former.map(({ state }) => state)), nodes) }
  })
}

function isSome(nodes: ReadonlySet<NodeName>, former: CircleState): boolean {
  for (const node of former.nodes) if (nodes.has(node)) return true
  return false
}

function joined(states: readonly SiteState[]): SiteState {
  const [first = noState, ...others] = states
  return others.reduce(
    (one, other) => ({
      gateways: [...one.gateways, ...other.gateways],
      resting: [...one.resting, ...other.resting],
      behind: new Map([...one.behind, ...other.behind]),
      most: Math.max(one.most, other.most),
      claims: new Map([...one.claims, ...other.claims]),
      hasWhole: one.hasWhole || other.hasWhole,
      stalls: Math.min(one.stalls, other.stalls),
      electedMs: Math.max(one.electedMs, other.electedMs),
    }),
    first,
  )
}

function within(state: SiteState, nodes: ReadonlySet<NodeName>): SiteState {
  return {
    ...state,
    gateways: state.gateways.filter(({ node }) => nodes.has(node)),
    resting: state.resting.filter(({ node }) => nodes.has(node)),
    behind: new Map([...state.behind].filter(([node]) => nodes.has(node))),
    claims: new Map([...state.claims].filter(([node]) => nodes.has(node))),
  }
}
