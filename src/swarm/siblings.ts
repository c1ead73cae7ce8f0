// Which siblings this node reaches: what has become of the engine's dials, over all payloads. Bounded,
// and forgotten after a while, so that each sibling is dialled again some day.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Clock } from '../world/world.ts'

/** A sibling that was dialled in vain. */
export interface Unreached {
  node: NodeName
  /** Its addresses and its port. */
  place: string
  because: string
  /** It is known to be of another site. */
  elsewhere?: true
}

export interface Reach {
  /**
   * The siblings of this node's own site that have a wire to this node, or had one lately. A sibling of
   * which the site is not known counts as such.
   */
  reached: number
  /**
   * Those that were not reached, the newest last. At most `limits.unreachedMax`: those of the own site
   * go before others.
   */
  unreached: readonly Unreached[]
}

/** What the engine tells of a dial: where, why in vain if it was, and whether over a link between sites. */
export interface Dialled {
  node: NodeName
  place: string
  /** Null if the sibling was reached. */
  because: string | null
  isElsewhere: boolean
}

export interface Siblings {
  dialled(dialled: Dialled): void
  /** The node has dialled this one. */
  met(node: NodeName): void
  /** There is a wire to this node for the payload, near or to another site; null: no longer. */
  wired(infoHash: InfoHash, node: NodeName, to: 'near' | 'elsewhere' | null): void
  /** There are no wires for the payload any longer, or none at all. */
  unwired(infoHash?: InfoHash): void
  /** The node is to be dialled there. One that has moved is dialled anew. */
  handedOut(node: NodeName, place: string): void
  /** Whether it was dialled in vain lately, where it still is: it is not dialled again yet. */
  isUnreached(node: NodeName): boolean
  now(): Reach
}

export interface SiblingsParts {
  clock: Pick<Clock, 'monotonicMs'>
  /** Whether the node is a child of this one, and so no sibling. */
  isChild: (node: NodeName) => boolean
  /**
   * A sibling of the own site could be reached and cannot any longer, or the reverse. Not called for more
   * of them than an announce names: on a large site that would be an announce for each.
   */
  onChange: () => void
}

export function createSiblings({ clock, isChild, onChange }: SiblingsParts): Siblings {
  const unreached = new BoundedMap<NodeName, Unreached & { atMs: number }>(limits.unreachedKept)
  /** Siblings of the own site, and when each was reached last. */
  const reached = new BoundedMap<NodeName, number>(limits.reachedKept)
  /** The nodes of the own site with which there is a wire. A wire can be open for days. */
  const wires = new Map<InfoHash, Set<NodeName>>()
  const isNew = (atMs: number) => clock.monotonicMs() - atMs < limits.unreachedKeptMs
  const fresh = () => [...unreached.values()].flatMap(({ atMs, ...each }) => (isNew(atMs) ? [each] : []))
  const isUnreached = (node: NodeName) => isNew(unreached.get(node)?.atMs ?? Number.NEGATIVE_INFINITY)
  const met = (node: NodeName) => {
    const known = unreached.get(node)
    unreached.delete(node)
    if (known !== undefined && known.elsewhere === undefined) onChange()
  }
  const unwired = (infoHash: InfoHash) => {
    for (const node of wires.get(infoHash) ?? []) reached.set(node, clock.monotonicMs())
    wires.delete(infoHash)
  }
  return {
    dialled: ({ node, place, because, isElsewhere }) => {
      if (because === null) {
        if (!isElsewhere) reached.set(node, clock.monotonicMs())
        return met(node)
      }
      const isNews = !isElsewhere && !isUnreached(node)
      reached.delete(node)
      const atMs = clock.monotonicMs()
      unreached.set(node, { node, place, because, atMs, ...(isElsewhere && { elsewhere: true as const }) })
      if (isNews && nearIn(fresh()).length <= limits.unreachedMax) onChange()
    },
    met,
    isUnreached,
    wired: (infoHash, node, to) => {
      const nodes = wires.get(infoHash) ?? new Set<NodeName>()
      if (to === 'near') {
        wires.set(infoHash, nodes.add(node))
        return
      }
      if (!nodes.delete(node)) return
      if (nodes.size === 0) wires.delete(infoHash)
      // A peer that says later that it is of another site was none of this one before.
      if (to === null) reached.set(node, clock.monotonicMs())
    },
    unwired: (infoHash) => {
      for (const each of infoHash === undefined ? [...wires.keys()] : [infoHash]) unwired(each)
    },
    handedOut: (node, place) => {
      const known = unreached.get(node)
      if (known !== undefined && known.place !== place) unreached.delete(node)
    },
    now: () => {
      const lately = [...reached].flatMap(([node, atMs]) => (isNew(atMs) ? [node] : []))
      const near = new Set([...lately, ...[...wires.values()].flatMap((nodes) => [...nodes])])
      return {
        reached: [...near].filter((node) => !isChild(node)).length,
        unreached: toldOf(fresh()),
      }
    },
  }
}

/** The siblings of the own site that were not reached. Pure. */
export function nearIn(unreached: readonly Unreached[]): readonly Unreached[] {
  return unreached.filter(({ elsewhere }) => elsewhere === undefined)
}

function toldOf(fresh: readonly Unreached[]): Unreached[] {
  const near = nearIn(fresh).slice(-limits.unreachedMax)
  const room = limits.unreachedMax - near.length
  const far = room === 0 ? [] : fresh.filter(({ elsewhere }) => elsewhere === true).slice(-room)
  const told = new Set([...near, ...far])
  return fresh.filter((each) => told.has(each))
}
