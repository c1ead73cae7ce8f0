// Why payloads come over the link although siblings have them. Pure.

import { nearIn, type Reach } from '../../swarm/siblings.ts'

/** The siblings that are named in a problem. */
const named = 2

/** Null while most siblings can be reached: one that cannot may be off. */
export function siblingsProblemOf({ reached, unreached: ofAnySite }: Reach): string | null {
  const unreached = nearIn(ofAnySite)
  if (unreached.length <= reached) return null
  const count = reached === 0 ? 'none' : `only ${reached}`
  const some = unreached.slice(0, named).map(({ node, because }) => `${node}: ${because}`)
  const more = unreached.length > named ? `; and ${unreached.length - named} more` : ''
  return (
    `${count} of ${reached + unreached.length} siblings can be reached (${some.join('; ')}${more}): ` +
    'a firewall or an access point may keep them apart, and payloads come over the link more than once'
  ).slice(0, 1024)
}
