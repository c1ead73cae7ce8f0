// How far the transfers of some nodes were from their bound, all together: what came over their link by what had to. Pure.

import { distanceOf } from '../model/distance.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash } from '../model/names.ts'
import type { Report } from '../model/report.ts'

/** What of a node's newest transfers is kept in memory. */
export interface Crossings {
  /** Those of which something came over the link, the newest first. */
  crossings: { infoHash: InfoHash; size: number; overLink: number }[]
  /** The longest time of all of them, by its bound; null where nobody has said what the link can. */
  worstTime: number | null
}

export interface LinkDistance {
  /** Of the payloads that came over the link, each counted once. */
  payloadBytes: number
  linkBytes: number
  /** Their ratio, whose bound is 1; null if nothing came over the link. */
  overLink: number | null
  /** Of the payload that was worst in that. */
  worstOverLink: number | null
  worstTime: number | null
}

const none: Crossings['crossings'] = []

export function crossingsOf({ transfers }: Pick<Report, 'transfers'>): Crossings {
  const newest = transfers
    .flatMap((transfer) => {
      const distance = distanceOf(transfer)
      return distance === null ? [] : { ...transfer, time: distance.time }
    })
    .sort((a, b) => (b.completedAt ?? 0) - (a.completedAt ?? 0))
    .slice(0, limits.distancesKept)
  const crossings = newest
    .filter(({ overLink }) => overLink > 0)
    .map(({ infoHash, size, overLink }) => ({ infoHash, size, overLink }))
  const times = newest.flatMap(({ time }) => time ?? [])
  return {
    crossings: crossings.length === 0 ? none : crossings,
    worstTime: times.length === 0 ? null : Math.max(...times),
  }
}

/** Of nodes behind one link; null if nothing is known of any transfer of theirs. */
export function linkDistanceOf(nodes: Iterable<Crossings>): LinkDistance | null {
  const payloads = new Map<InfoHash, { size: number; overLink: number }>()
  let worstTime: number | null = null
  for (const node of nodes) {
    if (node.worstTime !== null) worstTime = Math.max(worstTime ?? 0, node.worstTime)
    for (const { infoHash, size, overLink } of node.crossings) {
      payloads.set(infoHash, { size, overLink: overLink + (payloads.get(infoHash)?.overLink ?? 0) })
    }
  }
  if (payloads.size === 0 && worstTime === null) return null
  let [payloadBytes, linkBytes, worstOverLink] = [0, 0, 0]
  for (const { size, overLink } of payloads.values()) {
    payloadBytes += size
    linkBytes += overLink
    worstOverLink = Math.max(worstOverLink, overLink / size)
  }
  const isKnown = payloads.size > 0
  return {
    ...{ payloadBytes, linkBytes, worstTime },
    overLink: isKnown ? linkBytes / payloadBytes : null,
    worstOverLink: isKnown ? worstOverLink : null,
  }
}
