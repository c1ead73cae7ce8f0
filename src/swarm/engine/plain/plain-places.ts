// Who of the ordinary clients goes when places are scarce: whoever makes the least use of one. Pure.

import { limits } from '../../../model/limits.ts'

/** A connection of an ordinary client. Times are monotonic milliseconds. */
export interface Place {
  address: string
  sinceMs: number
  /** When it last asked for a block; undefined if it never did. */
  askedAtMs: number | undefined
  /** Whether answers to it are on their way. */
  isServed: boolean
}

/**
 * What happens to a newcomer: it gets a place, or the place of one that is hung up on, or none.
 *
 * Nobody who is being served goes. Of the others, an address with several clients that never asked
 * for anything loses the oldest of these first, so that whoever opens many connections pushes out
 * its own.
 */
export function placeFor<P extends Place>(
  places: readonly P[],
  { address, nowMs }: { address: string; nowMs: number },
): { kind: 'free' } | { kind: 'none' } | { kind: 'instead-of'; place: P } {
  const own = places.filter((place) => place.address === address)
  const isCrowded = own.length >= limits.plainWiresPerAddressMax
  if (!isCrowded && places.length < limits.plainWiresMax) return { kind: 'free' }
  const among = isCrowded ? own : places
  const place = oldest(crowdOf(among.filter(isSilent))) ?? oldest(among.filter((each) => isIdle(each, nowMs)))
  return place === undefined ? { kind: 'none' } : { kind: 'instead-of', place }
}

function isSilent({ askedAtMs, isServed }: Place): boolean {
  return askedAtMs === undefined && !isServed
}

function isIdle({ sinceMs, askedAtMs, isServed }: Place, nowMs: number): boolean {
  return !isServed && nowMs - (askedAtMs ?? sinceMs) >= limits.plainRestMs
}

/** The places of the address that has the most of them; none if no address has two. */
function crowdOf<P extends Place>(places: readonly P[]): readonly P[] {
  const byAddress = [...Map.groupBy(places, ({ address }) => address).values()]
  const most = byAddress.reduce((a, b) => (b.length > a.length ? b : a), [] as P[])
  return most.length > 1 ? most : []
}

function oldest<P extends Place>(places: readonly P[]): P | undefined {
  const at = ({ sinceMs, askedAtMs }: P) => askedAtMs ?? sinceMs
  return places.reduce<P | undefined>((a, b) => (a === undefined || at(b) < at(a) ? b : a), undefined)
}
