// What of the signed policy is in force for this node, and how the policy knows it. Pure.

import { groupsOf, type NodeTraits } from '../../model/desired.ts'
import type { Arch } from '../../model/names.ts'
import { limitsForGroups, type NodeLimits } from '../../model/node-limits.ts'
import type { State } from './state.ts'

/** The newest signed state of the rollouts; null while it is not here. */
export function rolloutsInForce({ rollouts, trusted }: Pick<State, 'rollouts' | 'trusted'>): State['rollouts'] {
  return rollouts !== null && rollouts.digest === trusted?.rollouts?.sha256 ? rollouts : null
}

/** How the policy knows this node; null while its facts are not collected. */
export function traitsOf(state: State): NodeTraits | null {
  if (state.facts === null) return null
  return {
    name: state.name,
    site: state.site ?? '',
    arch: state.facts['arch'] as Arch,
    labels: state.labels,
    facts: state.facts,
  }
}

/** What the policy says of a node's link, disk and machine. */
export function policyLimitsOf(state: State): NodeLimits[] {
  const traits = traitsOf(state)
  const { limits: all } = state.revision?.body ?? {}
  if (state.revision === null || all === undefined || traits === null) return []
  return limitsForGroups(all, groupsOf(state.revision.body, traits))
}
