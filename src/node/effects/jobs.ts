// The jobs of a node: loading, holding, work on the machine, saving, and the timer of the looks.
// Each job runs one at a time and reads the state when it starts, so asking twice is asking once.

import { background, repeatable } from '../../work/background.ts'
import type { Disk, Log, Store } from '../../world/world.ts'
import { saveQuarantine, saveRemembered } from '../state/remembered.ts'
import type { State } from '../state/state.ts'
import { type DiskProbe, startDiskProbe } from './disk-probe.ts'
import { type Holding, type HoldingParts, startHolding } from './holding.ts'
import { type Loading, type LoadingParts, startLoading } from './loading.ts'
import { type LookTimer, startLookTimer } from './look-timer.ts'
import { type MachineWork, type MachineWorkParts, startMachineWork } from './machine-work.ts'

export interface Jobs {
  loading: Loading
  holding: Holding
  machine: MachineWork
  saving: Saving
  diskProbe: DiskProbe
  lookTimer: LookTimer
  /** Resolves once no job runs. */
  stop(): Promise<void>
}

export type JobsParts = Omit<LoadingParts & HoldingParts & MachineWorkParts, 'loading' | 'lookWithin'> & {
  store: Store
  disk: Disk
  /** The home folder. */
  dir: string
}

/** No job runs before somebody asks for it. */
export function startJobs(parts: JobsParts): Jobs {
  const lookTimer = startLookTimer(parts)
  const { lookWithin } = lookTimer
  const loading = startLoading({ ...parts, lookWithin })
  const holding = startHolding({ ...parts, lookWithin, loading })
  const machine = startMachineWork({ ...parts, lookWithin })
  const saving = startSaving(parts)
  const diskProbe = startDiskProbe(parts)
  return {
    ...{ loading, holding, machine, saving, diskProbe, lookTimer },
    async stop() {
      lookTimer.stop()
      await Promise.all([loading.stop(), holding.stop(), machine.stop(), saving.stop(), diskProbe.stop()])
    },
  }
}

/** What the next start of this node has to know. */
export interface Saving {
  saveConverged(revision: number): void
  saveQuarantine(): void
  remember(): void
  stop(): Promise<void>
}

function startSaving({ store, log, state }: { store: Pick<Store, 'put'>; log: Log; state: () => State }): Saving {
  const quarantine = repeatable('save quarantine', log, () => saveQuarantine(store, state()))
  const remembering = repeatable('remember', log, () => saveRemembered(store, state()))
  return {
    saveConverged: (revision) => background('save converged', log, store.put('converged', revision)),
    saveQuarantine: quarantine.ask,
    remember: remembering.ask,
    async stop() {
      await Promise.all([quarantine.settled(), remembering.settled()])
    },
  }
}
