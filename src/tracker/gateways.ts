// Which children of a site across a link take a payload from the parent. Pure.

import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Have } from './memberships.ts'
import type { Trust } from './standings.ts'
import { claimsAfter, isBelieved, type WholeClaims } from './whole-claims.ts'

/** One child of the site in the swarm. Times are of the monotonic clock. */
export interface SiteMember {
  readonly node: NodeName
  readonly have: Have
  /** The bytes of the payload that it has, if it announced a number. */
  readonly bytes: number
  /** When it last had more bytes than before, or joined the swarm. */
  readonly grewMs: number
  /** The later a child joined the swarm, the greater its number. */
  readonly joined: number
  /** Whether its siblings can dial it. */
  readonly isOpen: boolean
  /** Whether its next announce is overdue. */
  readonly isLate: boolean
  readonly trust: Trust
  /** Whether a sibling that lacks the payload has received bytes from it just now. */
  readonly isConfirmed: boolean
  /** When a sibling last received bytes from it, on the monotonic clock; minus infinity if none did. */
  readonly confirmedMs: number
  /** Whether what it gets comes from siblings that have the payload whole. */
  readonly isServed: boolean
}

export interface Gateway {
  readonly node: NodeName
  /** When it was elected, on the monotonic clock. */
  readonly sinceMs: number
}

/** What one decision about a site in a swarm leaves for the next. */
export interface SiteState {
  /** The children that take from the parent, in the order of their elections. */
  readonly gateways: readonly Gateway[]
  /**
   * Former gateways that brought nothing. Until `untilMs` each is elected only if there is nobody
   * else.
   */
  readonly resting: readonly { readonly node: NodeName; readonly untilMs: number }[]
  /**
   * The children that have less than others of the site, and since when each has had so many bytes.
   */
  readonly behind: ReadonlyMap<NodeName, { readonly bytes: number; readonly sinceMs: number }>
  /**
   * The bytes of the gateway, or of the child known to give some, that had most, while nobody had
   * all.
   */
  readonly most: number
  /** The children that say that they have the whole payload. */
  readonly claims: WholeClaims
  /** Whether the site takes the payload from one of them, for all that is known. */
  readonly hasWhole: boolean
  /** How often a child was elected because nothing moved. Each time the wait doubles. */
  readonly stalls: number
  /** When the last child was elected, on the monotonic clock. */
  readonly electedMs: number
}

export const noState: SiteState = {
  gateways: [],
  resting: [],
  behind: new Map(),
  most: 0,
  claims: new Map(),
  hasWhole: false,
  stalls: 0,
  electedMs: Number.NEGATIVE_INFINITY,
}

export interface SiteNow {
  readonly members: readonly SiteMember[]
  readonly nowMs: number
  /** The bytes of the payload that the parent has. */
  readonly parentBytes: number
  /** The number of gateways that it takes to fill the site's link. */
  readonly wanted: number
  /** How long a child may get nothing although others have more, before anybody was elected for that. */
  readonly patienceMs: number
}

/**
 * The site's gateways from now on. Deciding twice equals deciding once, and a gateway stays
 * gateway:
 * - While a child of the site lacks something and none has all, there are as many gateways as are
 *   wanted: of the children that announce in time, those that have most of the payload.
 * - A gateway is replaced when its announce is overdue, or when it has received nothing for a while
 *   although the parent has more. That it receives something has to be
 *   seen by its siblings too, a little later.
 * - Once a child has all and is believed (whole-claims.ts), nobody is elected. A gateway ends when
 *   it says itself that what it gets comes from such children. So no word of another child ends it.
 * - A child whose word did not hold is elected if there is nobody else.
 * - A child that has received nothing for a while, although others of its site have more, becomes a
 *   gateway as well, even if no further gateway is wanted. This happens at most once in that time,
 *   and the child then stays a gateway like any other.
 */
export function siteAfter(before: SiteState, now: SiteNow): SiteState {
  const { members, nowMs, parentBytes, wanted } = now
  const inTime = members.filter(({ isLate }) => !isLate)
  const lacking = new Map(inTime.flatMap((member) => (member.have === 'all' ? [] : [[member.node, member]])))
  const wholes = inTime.filter(({ have }) => have === 'all')
  const patienceMs = now.patienceMs * 2 ** Math.min(before.stalls, limits.gatewayPatienceDoublings)
  const stalls = ({ node, sinceMs }: Gateway): boolean => {
    const member = lacking.get(node)
    if (member === undefined || member.bytes >= parentBytes) return false
    const provenMs = lacking.size > 1 ? Math.max(sinceMs, member.confirmedMs) + patienceMs : member.grewMs
    return nowMs - Math.max(sinceMs, Math.min(member.grewMs, provenMs)) >= patienceMs
  }
  // Whoever gives blocks and never enough of them for a piece serves nobody.
  const isServed = (member: SiteMember) => member.isServed && nowMs - member.grewMs < now.patienceMs
  const isDistrusted = ({ trust, isConfirmed }: SiteMember) => trust === 'poor' && !isConfirmed
  const isTrustedHere = [...lacking.values()].some((member) => !isDistrusted(member))
  const there = before.gateways.filter(({ node }) => {
    const member = lacking.get(node)
    return member !== undefined && !isServed(member) && !(isTrustedHere && isDistrusted(member))
  })
  const claims = claimsAfter(before.claims, lacking.size > 0 ? wholes : [], nowMs)
  // While a gateway takes from the parent, a mere word changes nothing.
  const hasWhole = wholes.some((whole) => (there.length === 0 || whole.isConfirmed) && isBelieved(whole, claims, nowMs))
  // A gateway that receives nothing stays if there is nobody to take its place.
  const stalled = lacking.size > there.length ? there.filter(stalls) : []
  const kept = there.filter((gateway) => !stalled.includes(gateway))
  const resting = [
    ...before.resting.filter(({ untilMs }) => untilMs > nowMs),
    ...stalled.map(({ node }) => ({ node, untilMs: nowMs + limits.gatewayRestMs })),
  ]
  // Bytes that nobody has seen are none.
  const seen = [...lacking.values()].filter(
    ({ node, isConfirmed }) => isConfirmed || kept.some((gateway) => gateway.node === node),
  )
  const most = hasWhole ? before.most : Math.max(0, ...seen.map(({ bytes }) => bytes))
  const behind = behindAfter(before.behind, { lacking, most: hasWhole ? Number.POSITIVE_INFINITY : most, nowMs })
  const candidates = [...lacking.values()].filter(({ node }) => kept.every((gateway) => gateway.node !== node))
  const elected: SiteMember[] = []
  const electFrom = (from: readonly SiteMember[]) => {
    const best = bestOf(
      from.filter((candidate) => !elected.includes(candidate)),
      resting,
    )
    if (best !== undefined) elected.push(best)
    return best !== undefined
  }
  if (!hasWhole) while (kept.length + elected.length < wanted && electFrom(candidates));
  const isNeeded = elected.length > 0
  if (!isNeeded && nowMs - before.electedMs >= patienceMs) {
    electFrom(candidates.filter(({ node }) => nowMs - (behind.get(node)?.sinceMs ?? nowMs) >= patienceMs))
  }
  return {
    gateways: [...kept, ...elected.map(({ node }) => ({ node, sinceMs: nowMs }))],
    ...{ resting, behind, most, claims, hasWhole },
    stalls: before.stalls + (stalled.length > 0 || (elected.length > 0 && !isNeeded) ? 1 : 0),
    electedMs: elected.length > 0 ? nowMs : before.electedMs,
  }
}

/**
 * The state after the wire between a gateway and the parent has ended. Another child is elected
 * next, if there is one.
 */
export function siteWithout(before: SiteState, node: NodeName, nowMs: number): SiteState {
  return {
    ...before,
    gateways: before.gateways.filter((gateway) => gateway.node !== node),
    resting: [...before.resting.filter((each) => each.node !== node), { node, untilMs: nowMs + limits.gatewayRestMs }],
  }
}

function behindAfter(
  before: SiteState['behind'],
  now: { lacking: ReadonlyMap<NodeName, SiteMember>; most: number; nowMs: number },
): SiteState['behind'] {
  const behind = new Map<NodeName, { bytes: number; sinceMs: number }>()
  for (const { node, bytes } of now.lacking.values()) {
    if (bytes >= now.most) continue
    const known = before.get(node)
    behind.set(node, known?.bytes === bytes ? known : { bytes, sinceMs: now.nowMs })
  }
  return behind
}

/**
 * Prefers children whose word holds, then those that do not rest, then those that have proved
 * themselves, then those that can be dialled, then those that have most,
 * then the oldest.
 */
function bestOf(candidates: readonly SiteMember[], resting: SiteState['resting']): SiteMember | undefined {
  const burdenOf = ({ node, trust }: SiteMember) =>
    2 * Number(resting.some((each) => each.node === node)) + { proven: 0, new: 1, poor: 4 }[trust]
  let best: SiteMember | undefined
  for (const candidate of candidates) {
    const order =
      best === undefined
        ? -1
        : burdenOf(candidate) - burdenOf(best) ||
          Number(best.isOpen) - Number(candidate.isOpen) ||
          best.bytes - candidate.bytes ||
          candidate.joined - best.joined
    if (order < 0) best = candidate
  }
  return best
}
