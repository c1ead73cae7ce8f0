// Which children of a site that say that they have a payload whole are believed. Their own word
// counts for a moment only; then counts what their siblings say that they received. Pure.

import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Trust } from './standings.ts'

/** A child that says that it has the payload whole. */
export interface WholeMember {
  readonly node: NodeName
  readonly trust: Trust
  /** Whether a sibling that lacks the payload has received bytes from it just now. */
  readonly isConfirmed: boolean
}

/** What such a child has had time to show. */
export interface WholeClaim {
  /** Since when it says so to siblings that lack the payload, on the monotonic clock. */
  readonly sinceMs: number
  /** Whether a sibling has confirmed it since then. */
  readonly isKept: boolean
}

export type WholeClaims = ReadonlyMap<NodeName, WholeClaim>

/** The claims of these children, at a site where somebody lacks the payload. */
export function claimsAfter(before: WholeClaims, wholes: readonly WholeMember[], nowMs: number): WholeClaims {
  return new Map(
    wholes.map(({ node, isConfirmed }) => {
      const known = before.get(node)
      return [node, { sinceMs: known?.sinceMs ?? nowMs, isKept: isConfirmed || known?.isKept === true }]
    }),
  )
}

/** Whether the site may take the payload from this child: nobody else there has to be a gateway. */
export function isBelieved({ node, trust, isConfirmed }: WholeMember, claims: WholeClaims, nowMs: number): boolean {
  if (isConfirmed) return true
  if (trust === 'poor') return false
  const trialMs = trust === 'proven' ? limits.wholeTrialProvenMs : limits.wholeTrialMs
  return nowMs - (claims.get(node)?.sinceMs ?? nowMs) < trialMs
}

/**
 * The children that had time to give something and gave nothing. One sibling alone could say so of
 * anybody, so there have to be at least two that lack the payload.
 */
export function unkept(claims: WholeClaims, lacking: number, nowMs: number): NodeName[] {
  if (lacking < 2) return []
  return [...claims].flatMap(([node, { sinceMs, isKept }]) =>
    !isKept && nowMs - sinceMs >= limits.wholeUnkeptMs ? [node] : [],
  )
}
