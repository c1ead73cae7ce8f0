// The simulated network: sites with one link each, and the connections that are cut.

import type { Timeline } from './timeline.ts'

export interface SiteLink {
  /** Latency of one direction, in milliseconds. */
  latencyMs: number
  /** Bytes per second in each direction. */
  bytesPerSecond: number
}

export interface Network {
  /** The link of a site to all others. */
  link(site: string, link: Partial<SiteLink>): void
  /** Cuts the connection between two addresses or sites, or between one and all others. */
  cut(one: string, other?: string): void
  mend(one: string, other?: string): void
  /**
   * Puts a site behind address translation: others see all of its nodes at this address, and a call
   * to that address ends there without an answer. The nodes of the site still reach each other at
   * their own addresses.
   */
  translate(site: string, outside: string): void
  /** Keeps the nodes of a site from each other, as an access point does that isolates its clients. */
  isolate(site: string): void
  /** Bytes that have crossed the link of a site, including headers. */
  crossed(site: string): { inBytes: number; outBytes: number }
}

/** For the other parts of the simulation. */
export interface Wires extends Network {
  place(address: string, site: string): void
  /** The address of a node as another one sees it. */
  seenAs(address: string, by: string): string
  /** Whether a piece takes many seconds from one to the other. */
  isThin(one: string, other: string): boolean
  /** Marks a node as without power: everything on its way to or from it is lost. */
  silence(address: string): void
  unsilence(address: string): void
  /**
   * Calls back when this many bytes have arrived. While the connection is cut they wait, since TCP
   * would send them again.
   */
  deliver(from: string, to: string, bytes: number, arrived: () => void): void
}

const insideSite: SiteLink = { latencyMs: 0.2, bytesPerSecond: 125_000_000 }
const betweenSites: SiteLink = { latencyMs: 10, bytesPerSecond: 6_250_000 }

/** A second on a link that carries less is a small part of a piece. */
const thinBytes = 64 * 1024

export function createWires(timeline: Timeline): Wires {
  const sites = new Map<string, string>()
  const links = new Map<string, SiteLink>()
  const busyUntil = new Map<string, number>()
  const crossed = new Map<string, { inBytes: number; outBytes: number }>()
  const cuts = new Set<string>()
  const silent = new Set<string>()
  const outsides = new Map<string, string>()
  const isolated = new Set<string>()
  let held: (() => void)[] = []

  const siteOf = (address: string) => sites.get(address) ?? address
  const linkOf = (site: string) => links.get(site) ?? betweenSites
  const cutName = (one: string, other: string) => [one, other].sort().join(' ')
  const countOf = (site: string) => {
    const count = crossed.get(site) ?? { inBytes: 0, outBytes: 0 }
    crossed.set(site, count)
    return count
  }

  const isOutside = (address: string) => [...outsides.values()].includes(address)

  /** A link carries one message after the other, in each direction. */
  function crossing(startMs: number, name: string, link: SiteLink, bytes: number): number {
    const leftMs = Math.max(startMs, busyUntil.get(name) ?? 0) + (bytes / link.bytesPerSecond) * 1000
    busyUntil.set(name, leftMs)
    return leftMs + link.latencyMs
  }

  function isCut(from: string, to: string): boolean {
    const [here, there] = [
      [from, siteOf(from)],
      [to, siteOf(to)],
    ]
    if (from === to) return false
    if (siteOf(from) === siteOf(to) && isolated.has(siteOf(from))) return true
    const alone = [from, to, ...(siteOf(from) === siteOf(to) ? [] : [siteOf(from), siteOf(to)])]
    return (
      alone.some((each) => cuts.has(cutName(each, '*'))) ||
      here.some((one) => there.some((other) => cuts.has(cutName(one, other))))
    )
  }

  function deliver(from: string, to: string, bytes: number, arrived: () => void): void {
    const now = timeline.nowMs()
    const [source, target] = [siteOf(from), siteOf(to)]
    let at = now
    if (from !== to && source === target) at += insideSite.latencyMs + (bytes / insideSite.bytesPerSecond) * 1000
    if (source !== target) {
      countOf(source).outBytes += bytes
      countOf(target).inBytes += bytes
      at = crossing(at, `${source} out`, linkOf(source), bytes)
      at = crossing(at, `${target} in`, linkOf(target), bytes)
    }
    const arrive = () => {
      if (silent.has(from) || silent.has(to) || isOutside(to)) return
      if (isCut(from, to)) held.push(arrive)
      else arrived()
    }
    timeline.at(at, arrive)
  }

  return {
    link: (site, link) => links.set(site, { ...linkOf(site), ...link }),
    cut: (one, other = '*') => cuts.add(cutName(one, other)),
    mend(one, other = '*') {
      cuts.delete(cutName(one, other))
      const waiting = held
      held = []
      for (const arrive of waiting) timeline.at(timeline.nowMs(), arrive)
    },
    translate: (site, outside) => {
      outsides.set(site, outside)
      sites.set(outside, site)
    },
    isolate: (site) => isolated.add(site),
    isThin: (one, other) => {
      const [here, there] = [siteOf(one), siteOf(other)]
      return here !== there && Math.min(linkOf(here).bytesPerSecond, linkOf(there).bytesPerSecond) < thinBytes
    },
    seenAs: (address, by) => (siteOf(address) === siteOf(by) ? address : (outsides.get(siteOf(address)) ?? address)),
    crossed: (site) => ({ ...countOf(site) }),
    place: (address, site) => sites.set(address, site),
    silence: (address) => silent.add(address),
    unsilence: (address) => silent.delete(address),
    deliver,
  }
}
