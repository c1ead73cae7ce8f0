// The state of one run of a provider whose packages are changed together: what it knows, and what
// it has found out so far.

import type { PackageName } from '../../model/names.ts'
import type { Actual } from '../actual.ts'
import type { PackageSystem } from './package-system.ts'
import type { ApplyContext } from './provider.ts'

/**
 * `carryOut` and `putBack` work on it; `ensureTogether` makes it, and reads the outcomes off it.
 */
export interface Run {
  readonly system: PackageSystem
  readonly context: ApplyContext
  /**
   * Reads all packages of the run from the machine, by name. A package that is not installed is not
   * in the answer.
   */
  look(): Promise<ReadonlyMap<PackageName, Actual>>
  /** The machine before the first transaction. */
  readonly before: ReadonlyMap<PackageName, Actual>
  /**
   * Why a package is not as wanted. Each stage adds the reasons that it finds; `carryOut` takes
   * away those of a package that it is about to try again.
   */
  readonly problems: Map<PackageName, string>
  /** Remarks about packages that went well. Only `attempt` writes them. */
  readonly notes: Map<PackageName, string>
  /** The packages for which a transaction has run. Only `attempt` writes them. */
  readonly acted: Set<PackageName>
}
