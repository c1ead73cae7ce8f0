// The node's own machine as the daemon sees it: look at it, carry a plan out on it. The simulated world has another one.

import type { DesiredPackage } from '../model/desired.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import type { Outcome } from '../model/report.ts'
import type { InstalledRecord } from '../reconcile/actual.ts'
import type { Difference } from '../reconcile/differences.ts'
import type { Plan } from '../reconcile/plan.ts'

export interface Look {
  revision: { number: number; digest: Sha256 }
  desired: DesiredPackage[]
  manifests: ReadonlyMap<Sha256, Manifest>
  records: InstalledRecord[]
  /** The revision that this machine had no difference to, to tell pending from drift. */
  converged: number | null
  /** Where a payload lies, if it is whole and here. */
  payloadPath(manifest: Manifest): Promise<string | undefined>
}

export interface Looked {
  differences: Difference[]
  plan: Plan
  /** Outcomes of the packages that need no apply. */
  kept: Outcome[]
  /** What banyan installed and is still there. */
  records: InstalledRecord[]
}

export interface Machine {
  look(look: Look): Promise<Looked>
  /** Works through a plan in a process of its own and reads the machine back. */
  apply(plan: Plan): Promise<{ outcomes: Outcome[]; plan: Plan }>
  /** What an apply that outlived the former daemon came to; waits for it if it still runs. */
  finishEarlier(): Promise<{ outcomes: Outcome[]; plan: Plan }[]>
}
