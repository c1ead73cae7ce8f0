// The packages on a machine, and what banyan remembers of having installed there.

import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { type Kind, kindSchema } from '../model/manifest.ts'
import {
  countSchema,
  type PackageName,
  type PackageVersion,
  packageNameSchema,
  packageVersionSchema,
  type Sha256,
  sha256Schema,
} from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import { globOf } from '../model/units/globs.ts'

/**
 * One package as its provider sees it now. A package that is not installed has no Actual, unless its
 * administrator holds or bars it.
 */
export interface Actual {
  name: PackageName
  kind: Kind
  /** Null for an absent package, and for an unread one that may or may not be installed. */
  version: PackageVersion | null
  /**
   * broken: not wholly installed. drifted: it was whole, and its files have been changed since.
   * unread: the package manager could not be asked about the package, or its files could not be
   * checked. An unread package is neither whole nor absent, and nothing of it counts as healed.
   * absent: not installed, and held or barred.
   */
  state: 'whole' | 'broken' | 'drifted' | 'unread' | 'absent'
  /**
   * One line for a person: what is wrong, or why nobody knows. Empty if `state` is whole or absent.
   */
  found: string
  /**
   * What differs from the state after the installation and is left so, in one line: a rule or the
   * package says so, or its owner is known to fill such files.
   */
  left?: string
  /**
   * All installed versions of a package that is installed side by side, such as a kernel: the
   * newest first. `version`, `state` and `found` are then those of the newest. Absent if only one
   * version is installed.
   */
  versions?: readonly Instance[]
  /** The package is broken because a package manager was ended while it worked on it. */
  interrupted?: true
  /** The administrator of the machine wants no change of the package (`apt-mark hold`). */
  held: boolean
  /** The versions that the administrator does not want. */
  bar?: VersionBar
  /**
   * What lifts the hold or the bar: a command, or a file to change. Absent where the usual command
   * does.
   */
  lift?: string
  /** The payload that the package came from. Null where the machine itself does not know it. */
  payload: Sha256 | null
}

/** The versions that fit the pattern (`*` and `?` as in a shell). With `except`, all others. */
export interface VersionBar {
  versions: string
  except: boolean
  /** The administrator does not want the package removed either. */
  removal?: true
}

/** Whether the administrator wants no change to this version; null stands for a removal. */
export function isHeldFrom(actual: Actual | undefined, version: PackageVersion | null): boolean {
  if (actual === undefined || actual.held || actual.bar === undefined) return actual?.held ?? false
  const { versions, except, removal = false } = actual.bar
  if (version === null) return removal
  const fits = patternOf(versions)
  // What the administrator meant is not known, so no version comes.
  return fits === undefined || fits(version) !== except
}

/** Undefined for a pattern that cannot be read. */
function patternOf(versions: string): ((version: string) => boolean) | undefined {
  try {
    return globOf(versions)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return undefined
  }
}

/** A package of which nobody knows whether it is installed. */
export function unreadActual({ name, kind }: Pick<Actual, 'name' | 'kind'>, because: string): Actual {
  return { name, kind, version: null, state: 'unread', found: because, held: false, payload: null }
}

/** Whether the package is certainly not installed. */
export function isAbsent(actual: Actual | undefined): actual is undefined | (Actual & { state: 'absent' }) {
  return actual === undefined || actual.state === 'absent'
}

/** One of several installed versions of a package. */
export type Instance = Pick<Actual, 'state' | 'found'> & { version: PackageVersion }

/** The package as its version `version`, if that is installed; otherwise as its newest version. */
export function seenAs(there: Actual, version: PackageVersion | null): Actual {
  const instance = there.versions?.find((one) => one.version === version)
  return instance === undefined ? there : { ...there, ...instance }
}

export const installedRecordSchema = v.strictObject({
  name: packageNameSchema,
  kind: kindSchema,
  version: packageVersionSchema,
  manifest: sha256Schema,
  payload: sha256Schema,
  /** The revision of the plan that installed it. */
  revision: countSchema,
  /**
   * unfinished: the installation failed and left the package behind. It is ours to remove, and not
   * yet what was wanted.
   */
  state: v.picklist(['installed', 'unfinished']),
  /**
   * The package was there before banyan first changed it, so it stays when the policy no longer
   * mentions it.
   */
  foundThere: v.optional(v.boolean(), false),
})
/** A package that banyan itself installed. */
export type InstalledRecord = v.InferOutput<typeof installedRecordSchema>
export const parseInstalledRecords = parserOf(v.array(installedRecordSchema))
