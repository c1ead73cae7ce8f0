// What rollouts let one node have now, and what the node leaves as it is until its wave opens.
// Pure.

import type { DesiredPackage } from '../model/desired.ts'
import type { NodeName } from '../model/names.ts'
import { own } from '../model/packages/records.ts'
import { mayHave, type Rollout, type RolloutState, rolloutNameOf, waveOf } from '../model/rollouts.ts'
import { localTimeText } from '../model/units/local-times.ts'
import type { InstalledRecord } from './actual.ts'
import { type Compared, compareText, type Difference, differencesBetween } from './differences.ts'

/** A package that this node is to have once its wave opens. */
export interface Later {
  wanted: DesiredPackage
  /** Which wave of which rollout the package waits for, in words. */
  detail: string
}

/** A desired state, cut in two by the rollouts. */
export interface Permitted {
  /** What this node is to have now. */
  desired: DesiredPackage[]
  /** What it is to have once its waves open. */
  later: Later[]
}

/** One node's desired state, and what its rollouts depend on. */
export interface WaveParts {
  node: NodeName
  desired: readonly DesiredPackage[]
  /**
   * What earlier revisions wanted on this node, the newest first. Only packages that are rolled
   * out.
   */
  earlier: readonly (readonly DesiredPackage[])[]
  /** Null while the newest signed state is not here. No wave then counts as open. */
  rollouts: readonly RolloutState[] | null
  /** The terms of each rollout of the revision, by name. */
  rolloutTerms: Readonly<Record<string, Rollout>>
  /** The IANA name of the node's time zone. Asked only if there is a time to write. */
  timeZone: () => string
  records: readonly InstalledRecord[]
}

/**
 * A node whose wave is not open, or whose rollout is halted, keeps the version that banyan
 * installed, if an earlier revision names that version. It keeps it even if the rollout of that
 * version was halted since. A node that never had any version gets the last one that reached every
 * node. A package that already is as this revision wants it stays.
 */
export function permittedFor(parts: WaveParts): Permitted {
  const later: Later[] = []
  const desired = parts.desired.map((wanted) => {
    const waits = waveAwaited(wanted, parts)
    if (waits === null || hasIt(wanted, parts.records)) return wanted
    const before = beforeOf(wanted, parts)
    if (isSame(before, wanted)) return wanted
    later.push({ wanted, detail: waits })
    return before
  })
  return { desired, later }
}

/**
 * The differences to what the node may have now, and, of packages without one, those to what comes
 * later. Sorted by name.
 */
export function differencesWithLater(compared: Compared, later: readonly Later[]): Difference[] {
  const now = differencesBetween(compared)
  const busy = new Set(now.map(({ name }) => name))
  const waiting = later.map(({ wanted }) => wanted).filter(({ name }) => !busy.has(name))
  const names = new Set(waiting.map(({ name }) => name))
  const installed = compared.installed.filter(({ name }) => names.has(name))
  const then = differencesBetween({ ...compared, desired: waiting, installed })
  return [...now, ...then].sort((a, b) => compareText(a.name, b.name))
}

/** The wave that a package waits for, in words. Null if the node may have the package now. */
function waveAwaited({ terms, since }: DesiredPackage, parts: WaveParts): string | null {
  const { rollouts, node } = parts
  if (terms?.rollout === undefined || since === undefined) return null
  if (terms.urgent || terms.mode === 'audit') return null
  const name = rolloutNameOf({ rollout: terms.rollout, since })
  const state = rollouts?.find((one) => one.rollout === terms.rollout && one.since === since)
  if (state === undefined) return `of rollout ${name}, whose state is not here yet`
  if (mayHave(node, state)) return null
  const wave = `${waveOf(node, state) + 1} of ${state.waves.length} of rollout ${name}`
  if (state.halted !== undefined) return `${wave}, which is halted: ${state.halted}`
  return `${wave}; ${state.open === 1 ? '1 is' : `${state.open} are`} open${opensText(state, parts)}`
}

/**
 * Each wave soaks before the next opens. An empty wave is passed at once, and people may open a
 * wave sooner.
 */
function opensText(state: RolloutState, { node, rolloutTerms, timeZone }: WaveParts): string {
  const soakMs = own(rolloutTerms, state.rollout)?.soakMs
  if (state.openedAt === undefined || soakMs === undefined) return ''
  const opens = state.openedAt + soakMs * (waveOf(node, state) + 1 - state.open)
  return `, and it opens at ${localTimeText(opens, timeZone())} at the earliest`
}

/** An unfinished installation does not count: a halt is there so that it is not tried again. */
function hasIt(wanted: DesiredPackage, records: readonly InstalledRecord[]): boolean {
  if (wanted.state !== 'present') return false
  return records.some(
    ({ name, manifest, state }) => name === wanted.name && manifest === wanted.manifest && state === 'installed',
  )
}

function isSame(one: DesiredPackage, other: DesiredPackage): boolean {
  return one.state === 'present' && other.state === 'present' && one.manifest === other.manifest
}

function beforeOf(wanted: DesiredPackage, { earlier, records }: WaveParts): DesiredPackage {
  const { name, line, terms } = wanted
  const by = { line, ...(terms !== undefined && { terms }) }
  const before = earlier.flatMap((desired) => desired.find((one) => one.name === name) ?? [])
  const has = records.find((record) => record.name === name && record.state === 'installed')
  const known = before.find((one) => one.state === 'present' && one.manifest === has?.manifest)
  if (has !== undefined && known === undefined) return { state: 'as-is', name, ...by }
  const found = known ?? before.at(-1)
  if (found === undefined) return { state: 'as-is', name, ...by }
  return found.state === 'present'
    ? {
        ...{ state: 'present', name, version: found.version, manifest: found.manifest, ...by },
        ...(found.least !== undefined && { least: found.least }),
      }
    : { state: found.state, name, ...by }
}
