// What packages together offer to those that depend on them. Pure.

import type { Machine } from '../../model/desired.ts'
import type { Kind, Manifest } from '../../model/manifest.ts'
import { type Offer, type Offers, offersOf } from '../../model/needs.ts'
import { isTargeted } from '../../model/packages/target.ts'

export const noOffers: Offers = new Map()

export function offersBy(manifests: readonly Manifest[]): Offers {
  const offers = new Map<string, Offer[]>()
  for (const [name, offer] of manifests.flatMap(offersOf)) offers.set(name, [...(offers.get(name) ?? []), offer])
  return offers
}

/** By kind: a tree, or a package of another package manager, offers nothing to a deb or an rpm. */
export function offersByKind(manifests: readonly Manifest[]): Map<Kind, Offers> {
  const kinds = Map.groupBy(manifests, ({ kind }) => kind)
  return new Map([...kinds].map(([kind, of]) => [kind, offersBy(of)]))
}

/** Whether the package is for this machine. */
export function isFor({ arch, target = {} }: Manifest, machine: Machine): boolean {
  return (arch === 'all' || arch === machine.arch) && isTargeted(target, machine.facts)
}
