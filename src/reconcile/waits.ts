// What the terms of a rule mean for a difference: it is removed now, later, or only reported. Pure.

import type { DesiredPackage } from '../model/desired.ts'
import { type Instant, type PackageName, publishedNameOf } from '../model/names.ts'
import { own } from '../model/packages/records.ts'
import type { Terms } from '../model/revision.ts'
import { localTimeText, spanOf } from '../model/units/local-times.ts'
import type { Window } from '../model/units/windows.ts'
import type { Difference } from './differences.ts'
import type { WaitReason } from './waiting.ts'
import type { Later } from './waves.ts'

/** When windows open on one node. */
export interface Timing {
  windows: Readonly<Record<string, Window>>
  now: Instant
  /** The IANA name of the node's time zone. Asked only if there is a window to look at. */
  timeZone: () => string
}

/** The `waitOf` of `planFor`. The terms are those of the rule that decides about the package. */
export function waitsFor(
  desired: readonly DesiredPackage[],
  later: readonly Later[],
  timing: Timing,
): (difference: Difference) => WaitReason | null {
  const wantedByName = new Map(desired.map((wanted) => [wanted.name, wanted]))
  return (difference) => {
    const name = decidingName(difference, wantedByName, later)
    const wave = later.find(({ wanted }) => wanted.name === name && isOf(wanted, difference))
    if (wave !== undefined) return { for: 'wave', detail: wave.detail }
    const own = wantedByName.get(name)?.terms
    return own === undefined ? null : waitUnder(own, difference, timing)
  }
}

/**
 * The name that the rule about the difference uses. `libfo: absent` is about `libfo:i386` too, unless
 * a rule names that one by itself.
 */
function decidingName(
  { name, manifest }: Difference,
  wantedByName: ReadonlyMap<PackageName, DesiredPackage>,
  later: readonly Later[],
): PackageName {
  const published = publishedNameOf(name)
  if (manifest !== null || wantedByName.has(name)) return name
  const isWaved = later.some(({ wanted }) => wanted.name === published && wanted.state === 'absent')
  return isWaved || wantedByName.get(published)?.state === 'absent' ? published : name
}

function isOf(wanted: DesiredPackage, { manifest }: Difference): boolean {
  return (wanted.state === 'present' ? wanted.manifest : null) === manifest
}

function waitUnder(terms: Terms, { cause }: Difference, timing: Timing): WaitReason | null {
  if (terms.mode === 'audit') return { for: 'audit' }
  if (terms.window === undefined || terms.urgent) return null
  const window = own(timing.windows, terms.window)
  // Not reached: a revision defines every window that its rules name.
  if (window === undefined) return { for: 'window', detail: `${terms.window}, which is not known` }
  if (cause === 'drift' && window.drift !== 'wait') return null
  const zone = timing.timeZone()
  const opening = spanOf(window, timing.now, zone)
  if (opening === undefined) return { for: 'window', detail: `${terms.window}, which does not open within a year` }
  if (opening.opens <= timing.now) return null
  const opens = localTimeText(opening.opens, zone)
  return { for: 'window', until: opening.opens, detail: `${terms.window}, which opens at ${opens}` }
}
