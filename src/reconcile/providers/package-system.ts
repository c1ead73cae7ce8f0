// A package manager as the shared transaction sees it: what it is asked to change, and what came of
// it.

import type { Manifest } from '../../model/manifest.ts'
import type { PackageName, PackageVersion } from '../../model/names.ts'
import type { ApplyContext, Provider, Step } from './provider.ts'

/** The packages that one transaction changes. */
export interface Change {
  /** The path of each payload to install. */
  installs: ReadonlyMap<PackageName, string>
  removes: ReadonlySet<PackageName>
  /**
   * One version of a package goes, and the others that are installed beside it stay. Only to undo
   * what failed.
   */
  takes: ReadonlyMap<PackageName, PackageVersion>
  /** How many versions stay of a package that is installed side by side, where a rule says so. */
  keeps: ReadonlyMap<PackageName, number>
  downgrades: boolean
  reinstalls: boolean
  /**
   * The transaction puts former versions back. It may then remove an essential package, which was
   * not on the machine before.
   */
  isBack: boolean
}

export type TransactionResult = Refused | Ran

/** The package manager would not do it. Nothing was touched. */
export interface Refused {
  kind: 'refused'
  /** The packages of the change that lack something. Empty if the package manager named none. */
  unmet: ReadonlySet<PackageName>
  because: (name: PackageName) => string
}

/** The package manager has run. What it reached is read back from the machine. */
export interface Ran {
  kind: 'ran'
  failed: boolean
  timedOut: boolean
  /** The packages that made it fail, as far as its output names them. */
  culprits: ReadonlySet<PackageName>
  complaint: (name: PackageName) => string
  /** Remarks about packages that went well, such as a configuration file that was kept. */
  notes: ReadonlyMap<PackageName, string>
}

/** A package manager aimed at one target root. */
export interface PackageSystem {
  inspect: Provider['inspect']
  /**
   * Runs before everything else. Lets the package manager repair, once, what a killed one left
   * behind, whoever started it. Returns what was repaired, and what could not be, for the report.
   */
  prepare(context: ApplyContext): Promise<string | undefined>
  /**
   * Why a package file is not what its manifest says, before anything is touched. Undefined if it
   * is.
   */
  problemOf(manifest: Manifest, payload: string): Promise<string | undefined>
  /** How many files and folders a package file holds, as far as it says so. Asked of what is checked. */
  filesIn?(payload: string): Promise<number>
  /**
   * Whether the wanted version is installed with other content, as far as the machine can tell the
   * two apart. `result` is given once a transaction was to change that.
   */
  isOther(step: Step, result?: TransactionResult): Promise<boolean>
  /**
   * Carries a change out. Refuses it if the package manager would do anything that the plan does
   * not say.
   */
  transact(change: Change, context: ApplyContext): Promise<TransactionResult>
  /** Runs after a transaction that was ended for taking too long. */
  tidy(): Promise<void>
  /** Removes from the work folder what is of no use to anybody later. */
  finish(context: ApplyContext): Promise<void>
}
