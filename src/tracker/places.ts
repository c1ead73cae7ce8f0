// Where the siblings of a child can reach it: where this node sees it, and at its own addresses. Behind
// address translation all children of a site are seen at one address, where none of them may be
// reached. Pure.
//
// A child tells its own addresses, and could aim its siblings at others. So an address counts only if
// it is of the private networks, or of a network that the child or its sibling is known to be in.

import { isPrivate, isReachable, plainAddress, siteOf } from '../model/address.ts'
import { limits } from '../model/limits.ts'
import type { Member } from './memberships.ts'

/** What the addresses of a member depend on. */
export type Placed = Pick<Member, 'address' | 'site' | 'ownAddresses'>

/** Of what a child tells of itself: each address once, and none that no other machine can reach. */
export function usefulAddresses(told: readonly string[], seen: string): string[] {
  const plain = told.map(plainAddress).filter((address) => address !== seen && isReachable(address))
  return [...new Set(plain)].slice(0, limits.ownAddressesMax)
}

/**
 * The addresses at which `from` is to dial `to`, the best first. Two children that are seen at one
 * address are behind the same translation, and reach each other at their own addresses if at all.
 */
export function placesFor(from: Placed, to: Placed): [first: string, ...others: string[]] {
  if (from.site !== to.site) return [to.address]
  const networks = new Set([from.address, ...from.ownAddresses].map(siteOf))
  const isNear = (address: string) => networks.has(siteOf(address))
  // Both have it: a bridge to their own containers, where each would meet itself.
  const isShared = (address: string) => from.ownAddresses.includes(address) || from.address === address
  const mayBe = (address: string) => isPrivate(address) || isNear(address) || siteOf(address) === siteOf(to.address)
  const own = to.ownAddresses.filter((address) => !isShared(address) && mayBe(address))
  const ordered = [...own.filter(isNear), ...own.filter((address) => !isNear(address))]
  const [first, ...others] = ordered.slice(0, limits.placesPerPeerMax - 1)
  if (first === undefined) return [to.address]
  return from.address === to.address ? [first, ...others, to.address] : [to.address, first, ...others]
}
