// What `banyan doctor` says of the ways between this node, its parents and its siblings. Pure.

import type { ReachAnswer } from '../../model/wire/reach.ts'
import type { Reach } from '../../swarm/siblings.ts'
import type { Finding } from './finding.ts'

/** What a parent found when it dialled this node back, and this node at the parent's swarm port. */
export interface ParentReach extends ReachAnswer {
  /** Why the parent's swarm port was dialled in vain; null if it was reached. */
  parentSwarm: string | null
  /** This node's own ports. */
  ports: { control: number; swarm: number }
}

const hintOfParentSwarm = 'see that no firewall is in between: payloads above 1 MiB come by this port'
const hintOfSwarm =
  'usual behind address translation: this node dials others then; siblings need this port at its own addresses'
const hintOfSiblings =
  'see that the machines of the site reach each other at this port: firewalls, isolated access points, other networks'

export function reachFindings(parents: readonly { url: string; reach?: ParentReach }[]): Finding[] {
  return parents.flatMap(({ url, reach }) => (reach === undefined ? [] : findingsFor(url, reach)))
}

function findingsFor(url: string, reach: ParentReach): Finding[] {
  const { address, control, swarm, swarmPort, parentSwarm, ports } = reach
  const findings: Finding[] = []
  if (parentSwarm !== null) {
    const found = `the swarm port ${swarmPort} of ${url} cannot be reached: ${parentSwarm}`
    findings.push({ about: 'reach', state: 'wrong', found, hint: hintOfParentSwarm })
  }
  if (swarm !== null) {
    const found = `${url} sees this node at ${address} and does not reach port ${ports.swarm} there: ${swarm}`
    return [...findings, { about: 'reach', state: 'warning', found, hint: hintOfSwarm }]
  }
  const other =
    control === null ? '' : `; port ${ports.control}, which only a node with children needs, does not: ${control}`
  const found = `port ${ports.swarm} at ${address} answers ${url}${other}`
  return [...findings, { about: 'reach', state: 'fine', found }]
}

const named = 5

export function siblingFindings(reach: Reach | undefined): Finding[] {
  if (reach === undefined || reach.unreached.length === 0) return []
  const { reached, unreached } = reach
  const some = unreached.slice(0, named).map(({ node, place, because }) => `${node} at ${place}: ${because}`)
  const more = unreached.length > named ? `; and ${unreached.length - named} more` : ''
  const found = `${unreached.length} siblings were dialled in vain and ${reached} reached: ${some.join('; ')}${more}`
  return [{ about: 'siblings', state: 'warning', found, hint: hintOfSiblings }]
}
