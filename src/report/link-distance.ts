// How far the transfers of the nodes behind one link were from their bound: the bytes that crossed
// the link, by the bytes of the payloads. Pure.

import { distanceOf } from '../model/distance.ts'
import type { Knowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import type { LinkDistance } from '../model/local-api/status.ts'
import type { InfoHash } from '../model/names.ts'
import type { Report } from '../model/report.ts'

/** What is kept of a node's newest transfers. */
export type Crossings = Pick<Knowledge, 'crossings' | 'worstTime'>

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

/** Of the nodes behind one link; null if none of their transfers is known. */
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
