// What differs between a node's desired state and its machine, by package name. Pure.

import type { DesiredPackage, PresentPackage } from '../model/desired.ts'
import { unreachable } from '../model/failure.ts'
import type { Kind, Manifest } from '../model/manifest.ts'
import { type PackageName, type PackageVersion, publishedNameOf, type Sha256 } from '../model/names.ts'
import { compareVersions } from '../model/versions.ts'
import { type Actual, type InstalledRecord, isAbsent, isHeldFrom, seenAs } from './actual.ts'
import { isEnough } from './newer.ts'

/** How the difference is removed. */
export type What = 'install' | 'upgrade' | 'downgrade' | 'reinstall' | 'remove'

/**
 * pending: the revision has changed since this package last converged. drift: somebody else changed
 * the machine.
 */
export type Cause = 'pending' | 'drift'

/** One package that is not as the revision wants it. */
export interface Difference {
  name: PackageName
  /** Null as long as the manifest is not here. */
  kind: Kind | null
  /**
   * reinstall: the wanted version is there with other content, with changed files, or not wholly
   * installed.
   */
  what: What
  cause: Cause
  /** The installed version. Null if the package is not installed. */
  from: PackageVersion | null
  /** The wanted version. Null for a removal. */
  to: PackageVersion | null
  /** The wanted manifest. Null for a removal. */
  manifest: Sha256 | null
  /** One line for a person: what is on the machine instead of what should be. */
  found: string
  /** The administrator of the machine holds the package, so nothing is done. */
  held: boolean
  /** See the revision's `keep`. */
  keep?: number
  /** From this version on an installed version is kept. Absent: exactly `to` is wanted. */
  least?: PackageVersion
  /** See `Actual`. */
  lift?: string
}

/** A desired state, and the machine that it is compared with. */
export interface Compared {
  desired: readonly DesiredPackage[]
  /**
   * The manifests of desired packages. One that is not here yet makes a difference of unknown kind.
   */
  manifests: ReadonlyMap<Sha256, Manifest>
  actual: readonly Actual[]
  installed: readonly InstalledRecord[]
  revision: number
  /** The newest revision that this machine had no difference to; null if there was none. */
  converged: number | null
}

/**
 * Empty if the machine has converged, apart from packages that nobody could look at (`unreadIn`). A
 * package that banyan never installed and that no rule calls absent is left alone.
 */
export function differencesBetween(compared: Compared): Difference[] {
  const { desired, actual, installed } = compared
  const actualByKey = new Map(actual.map((one) => [keyOf(one.kind, one.name), one]))
  const actualByName = Map.groupBy(actual, (one) => publishedNameOf(one.name))
  const mentioned = new Set(desired.map((one) => one.name))
  const recordsByName = Map.groupBy(installed, (one) => one.name)
  const differences: Difference[] = []
  // `libfo` absent means every architecture that no rule names by itself.
  const meantBy = (name: PackageName) =>
    (actualByName.get(publishedNameOf(name)) ?? []).filter((one) => {
      return one.name === name || (publishedNameOf(name) === name && !mentioned.has(one.name))
    })

  for (const wanted of desired) {
    const records = recordsByName.get(wanted.name) ?? []
    switch (wanted.state) {
      case 'present': {
        const kind = kindOf(wanted, compared.manifests, records)
        const record = records.find((one) => one.kind === kind)
        const there = kind === null ? undefined : actualByKey.get(keyOf(kind, wanted.name))
        const difference = differenceOfWanted({ wanted, kind, record, there, compared })
        if (difference !== null) differences.push(difference)
        // Banyan once installed the same name as another kind: that one goes.
        for (const other of records) {
          const stale = actualByKey.get(keyOf(other.kind, other.name))
          if (kind === null || other.kind === kind || !isInstalled(stale)) continue
          differences.push(removalOf(stale, 'pending', `${stale.name} is a ${kind} package now`))
        }
        break
      }
      case 'absent':
        for (const there of meantBy(wanted.name).filter(isInstalled)) {
          differences.push(removalOf(there, causeOfUnrecorded(compared), `${there.version} is installed`))
        }
        break
      case 'no-build':
      case 'as-is':
        break
      default:
        unreachable(wanted)
    }
  }

  const absent = new Set(desired.flatMap(({ state, name }) => (state === 'absent' ? [name] : [])))
  for (const record of installed) {
    if (mentioned.has(record.name) || absent.has(publishedNameOf(record.name)) || record.foundThere) continue
    const there = actualByKey.get(keyOf(record.kind, record.name))
    if (isInstalled(there)) differences.push(removalOf(there, 'pending', 'the policy no longer mentions it'))
  }
  return differences.sort(byNameAndKind)
}

/** The packages that nobody could look at, or not at all of them. */
export function unreadIn(actual: readonly Actual[]): Actual[] {
  return actual.filter(({ state }) => state === 'unread')
}

/** Sorts by name, then by kind. */
export function byNameAndKind(
  a: { name: PackageName; kind: Kind | null },
  b: { name: PackageName; kind: Kind | null },
): number {
  return compareText(a.name, b.name) || compareText(a.kind ?? '', b.kind ?? '')
}

/** A key for one package of one kind: a machine can have the same name in two kinds. */
export function keyOf(kind: Kind, name: PackageName): string {
  return `${kind}/${name}`
}

type Installed = Actual & { version: PackageVersion }

/** False for an unread package that may or may not be installed: nothing is done about it. */
function isInstalled(there: Actual | undefined): there is Installed {
  return there !== undefined && there.version !== null
}

function kindOf(
  wanted: PresentPackage,
  manifests: ReadonlyMap<Sha256, Manifest>,
  records: readonly InstalledRecord[],
): Kind | null {
  const known = manifests.get(wanted.manifest) ?? records.find((record) => record.manifest === wanted.manifest)
  return known?.kind ?? null
}

function differenceOfWanted(parts: {
  wanted: PresentPackage
  kind: Kind | null
  record: InstalledRecord | undefined
  there: Actual | undefined
  compared: Compared
}): Difference | null {
  const { wanted, kind, record, compared } = parts
  const there = parts.there === undefined ? undefined : seenAs(parts.there, wanted.version)
  const keep = wanted.terms?.keep
  const payload = compared.manifests.get(wanted.manifest)?.payload.sha256
  const settled =
    record !== undefined &&
    record.state === 'installed' &&
    record.version === wanted.version &&
    (record.manifest === wanted.manifest || record.payload === payload)
  const cause: Cause = record === undefined ? causeOfUnrecorded(compared) : settled ? 'drift' : 'pending'
  const difference = (what: What, found: string): Difference => ({
    name: wanted.name,
    kind,
    what,
    cause,
    from: there?.version ?? null,
    to: wanted.version,
    manifest: wanted.manifest,
    found,
    ...holdOf(there, wanted.version),
    ...(wanted.least !== undefined && { least: wanted.least }),
    ...(keep !== undefined && { keep }),
  })
  if (kind === null) return difference('install', 'its manifest is not here yet')
  if (isAbsent(there)) return difference('install', 'not installed')
  if (!isInstalled(there) || isEnough(wanted, there, record)) return null
  if (there.version !== wanted.version) {
    const order = compareVersions(kind, there.version, wanted.version)
    const what = order < 0 ? 'upgrade' : order > 0 ? 'downgrade' : 'reinstall'
    const isFound = there.state === 'broken' || there.state === 'drifted'
    return difference(what, isFound ? there.found : `${there.version} is installed`)
  }
  if (there.state === 'broken' || there.state === 'drifted') return difference('reinstall', there.found)
  // A record of another version says nothing of what somebody else has installed since.
  const cameFrom = there.payload ?? (record?.version === there.version ? record.payload : undefined)
  if (cameFrom !== undefined && payload !== undefined && cameFrom !== payload) {
    return difference('reinstall', `${there.version} is installed with other content`)
  }
  return record?.state === 'unfinished' ? difference('reinstall', 'its installation did not end well') : null
}

function removalOf(there: Installed, cause: Cause, found: string): Difference {
  return {
    name: there.name,
    kind: there.kind,
    what: 'remove',
    cause,
    from: there.version,
    to: null,
    manifest: null,
    found,
    ...holdOf(there, null),
  }
}

function holdOf(there: Actual | undefined, to: PackageVersion | null): Pick<Difference, 'held' | 'lift'> {
  return { held: isHeldFrom(there, to), ...(there?.lift !== undefined && { lift: there.lift }) }
}

// Banyan has no record of the package. If this very revision had no difference on this machine
// before, somebody has changed the machine since.
function causeOfUnrecorded(compared: Compared): Cause {
  return compared.converged === compared.revision ? 'drift' : 'pending'
}

/** By code units, the order of every list of reconcile. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
