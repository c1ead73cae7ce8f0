// Who of a site across a link takes from the parent, for one swarm. Pure.

import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Have } from './memberships.ts'

/** One child of that site in that swarm. Times are of the monotonic clock. */
export interface SiteMember {
  readonly node: NodeName
  readonly have: Have
  /** How much of the payload it has, as far as it said. */
  readonly bytes: number
  /** When it last had more than before, or came into the swarm. */
  readonly grewMs: number
  /** Who came into the swarm later has the greater number. */
  readonly joined: number
  /** Whether its siblings can dial it. */
  readonly isOpen: boolean
  /** It should have announced by now. */
  readonly isLate: boolean
}

export interface Gateway {
  readonly node: NodeName
  readonly sinceMs: number
}

/** What is remembered of one site in one swarm from one decision to the next. */
export interface SiteState {
  /** Those who take from the parent, the first elected first. */
  readonly gateways: readonly Gateway[]
  /** Those who were gateways and did not do, and until when they are chosen only if there is nobody else. */
  readonly resting: readonly { readonly node: NodeName; readonly untilMs: number }[]
  /** Those who have less than others of the site, and since when that has not become more. */
  readonly behind: ReadonlyMap<NodeName, { readonly bytes: number; readonly sinceMs: number }>
  /** What the one with most had, while nobody had all. */
  readonly most: number
  /** Whether somebody there had all of it. */
  readonly hasWhole: boolean
  /** How often somebody was elected because nothing moved: each time it is waited twice as long. */
  readonly stalls: number
  readonly electedMs: number
}

export const noState: SiteState = {
  gateways: [],
  resting: [],
  behind: new Map(),
  most: 0,
  hasWhole: false,
  stalls: 0,
  electedMs: Number.NEGATIVE_INFINITY,
}

export interface SiteNow {
  readonly members: readonly SiteMember[]
  readonly nowMs: number
  /** How much of the payload the parent has. */
  readonly parentBytes: number
  /** How many gateways it takes to fill the site's link. */
  readonly wanted: number
}

/**
 * The site's gateways from now on. Asking twice is asking once, and who is gateway stays it:
 * - There is one, or as many as are wanted, while somebody at the site lacks something and nobody there has all: of those who announce in
 *   time, those with the most of the payload.
 * - It is replaced when it has announced too late, or has had nothing more for a while although the parent has more.
 * - Once somebody has all, the others take it from him, and nobody from the parent.
 * - One who gets nothing for a while although others of the site have more than he may take from the parent too: not more
 *   than one such in that time, and he is left in it.
 */
export function siteAfter(before: SiteState, { members, nowMs, parentBytes, wanted }: SiteNow): SiteState {
  const inTime = members.filter(({ isLate }) => !isLate)
  const lacking = new Map(inTime.flatMap((member) => (member.have === 'all' ? [] : [[member.node, member]])))
  const hasWhole = inTime.length > lacking.size
  const patienceMs = limits.gatewayPatienceMs * 2 ** Math.min(before.stalls, limits.gatewayPatienceDoublings)
  const stalls = ({ node, sinceMs }: Gateway): boolean => {
    const member = lacking.get(node)
    if (member === undefined || member.bytes >= parentBytes) return false
    return nowMs - Math.max(sinceMs, member.grewMs) >= patienceMs
  }
  const isEnded = hasWhole && !before.hasWhole
  const there = isEnded ? [] : before.gateways.filter(({ node }) => lacking.has(node))
  // Where there is nobody to take its place, one that gets nothing stays.
  const stalled = lacking.size > there.length ? there.filter(stalls) : []
  const kept = there.filter((gateway) => !stalled.includes(gateway))
  const resting = [
    ...before.resting.filter(({ untilMs }) => untilMs > nowMs),
    ...stalled.map(({ node }) => ({ node, untilMs: nowMs + limits.gatewayRestMs })),
  ]
  const most = hasWhole ? before.most : Math.max(0, ...[...lacking.values()].map(({ bytes }) => bytes))
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
    ...{ resting, behind, most, hasWhole },
    stalls: before.stalls + (stalled.length > 0 || (elected.length > 0 && !isNeeded) ? 1 : 0),
    electedMs: elected.length > 0 ? nowMs : before.electedMs,
  }
}

/** The wire between a gateway and the parent has ended. Somebody else is elected next, if there is anybody. */
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

/** Rested first, then who can be dialled, then who has most, then who was there first. */
function bestOf(candidates: readonly SiteMember[], resting: SiteState['resting']): SiteMember | undefined {
  const isResting = ({ node }: SiteMember) => Number(resting.some((each) => each.node === node))
  let best: SiteMember | undefined
  for (const candidate of candidates) {
    const order =
      best === undefined
        ? -1
        : isResting(candidate) - isResting(best) ||
          Number(best.isOpen) - Number(candidate.isOpen) ||
          best.bytes - candidate.bytes ||
          candidate.joined - best.joined
    if (order < 0) best = candidate
  }
  return best
}
