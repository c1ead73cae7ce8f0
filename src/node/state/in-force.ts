// Which parts of the signed policy are in force for this node, and the traits by which the policy
// selects the node. Pure.

import { groupsOf, type NodeTraits } from '../../model/desired.ts'
import type { Arch, Instant } from '../../model/names.ts'
import { limitsForGroups, type NodeLimits } from '../../model/node-limits.ts'
import type { State } from './state.ts'

/** The state of the rollouts that the trusted metadata names; null while it is not here. */
export function rolloutsInForce({ rollouts, trusted }: Pick<State, 'rollouts' | 'trusted'>): State['rollouts'] {
  return rollouts !== null && rollouts.digest === trusted?.rollouts?.sha256 ? rollouts : null
}

/**
 * The site of this node in its swarms: that of the settings or, without one there, the one at which
 * the parent's tracker sees the node. Null until the tracker has answered.
 */
export function swarmSiteOf({ site, siteSeen }: Pick<State, 'site' | 'siteSeen'>): string | null {
  return site ?? siteSeen
}

/** What selectors of the policy match against; null while the facts are not collected. */
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

/**
 * The limits that the policy sets for this node's link, disk and machine, in the order of the
 * policy.
 */
export function policyLimitsOf(state: State): NodeLimits[] {
  const traits = traitsOf(state)
  const { limits: all } = state.revision?.body ?? {}
  if (state.revision === null || all === undefined || traits === null) return []
  return limitsForGroups(all, groupsOf(state.revision.body, traits))
}

/** Whether what this node knows of the policy may be old: it has no parent, or the word has ended. */
export function isCutOff({ link, trusted }: Pick<State, 'link' | 'trusted'>, now: Instant): boolean {
  return link.kind === 'island' || link.kind === 'seeking' || (trusted !== null && trusted.expires <= now)
}
