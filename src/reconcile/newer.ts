// Versions that are newer than wanted. A policy that says `latest` or `>= VERSION` keeps what
// somebody else, such as the distribution's own updater, has installed above the wanted version.
// Pure.

import type { DesiredPackage, PresentPackage } from '../model/desired.ts'
import type { Kind } from '../model/manifest.ts'
import type { PackageVersion } from '../model/names.ts'
import type { Outcome } from '../model/report.ts'
import { compareVersions } from '../model/versions.ts'
import type { Actual, InstalledRecord } from './actual.ts'

/**
 * Whether the installed version is kept although it is not the wanted one. What banyan itself has
 * left unfinished is not kept, nor is a damaged package that the wanted version would mend.
 */
export function isEnough(
  wanted: PresentPackage,
  there: Actual & { version: PackageVersion },
  record: InstalledRecord | undefined,
): boolean {
  if (!isFrom(there.kind, wanted.least, there.version) || there.version === wanted.version) return false
  if (record?.state === 'unfinished' && record.version === there.version) return false
  const order = compareVersions(there.kind, there.version, wanted.version)
  // Equal versions that are written differently are put right, as everywhere.
  return order > 0 || (order < 0 && (there.state === 'whole' || there.state === 'unread'))
}

/** Whether `version` is `least` or newer. Without `least` no version is. */
export function isFrom(kind: Kind, least: PackageVersion | undefined, version: PackageVersion): boolean {
  return least !== undefined && compareVersions(kind, version, least) >= 0
}

export function isNewerThan(kind: Kind, version: PackageVersion | null, wanted: PackageVersion | null): boolean {
  return version !== null && wanted !== null && compareVersions(kind, version, wanted) > 0
}

/** What is told of a package that no difference is about; undefined if its version is not newer. */
export function newerFindings(wanted: DesiredPackage, there: Actual): Pick<Outcome, 'outcome' | 'detail'> | undefined {
  if (wanted.state !== 'present' || there.version === null) return undefined
  if (!isFrom(there.kind, wanted.least, there.version)) return undefined
  const { version } = wanted
  if (!isNewerThan(there.kind, there.version, version)) return undefined
  return there.state === 'broken'
    ? { outcome: 'failed', detail: brokenText(there, version) }
    : { outcome: 'newer', detail: newerText(there.version, version) }
}

export function newerText(version: PackageVersion | null, wanted: PackageVersion | null): string {
  return `${version} is newer than ${wanted} and stays (downgrade: allow would change that)`
}

/** Banyan has no payload of such a version, so that only its own package manager can mend it. */
function brokenText(there: Actual, wanted: PackageVersion): string {
  const mend = there.kind === 'deb' ? '; dpkg --configure -a, then apt-get -f install, may finish it' : ''
  return `${there.version} is newer than ${wanted}, and not whole: ${there.found}${mend}`
}
