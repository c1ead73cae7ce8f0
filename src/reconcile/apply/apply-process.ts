// What the apply process does from its start to its end. It outlives a restart of the daemon, and
// no two run at a time.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Sha256 } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import type { Clock, Disk, Exec } from '../../world/world.ts'
import type { Plan } from '../plan.ts'
import { providersFor } from '../providers/providers.ts'
import { unitsIn } from '../restarts.ts'
import { type Applied, applyFolder, readApplied, readPlan } from './apply-folder.ts'
import { takeApplyLock } from './apply-lock.ts'
import { runApply } from './apply-run.ts'
import { loadRevision } from './checked-action.ts'
import { type Journal, openJournal, refusedStep } from './journal.ts'
import { notingExec } from './left-behind.ts'
import { copyFileOnDisk } from './payload-copies.ts'
import { runRestarts } from './restart-run.ts'

/** The world of one apply process, and the transaction that it carries out. */
export interface ApplyProcessParts {
  home: string
  txid: string
  targetRoot: string
  exec: Exec
  disk: Disk
  clock: Clock
  /** See `ApplyRunParts`. */
  trustedRevision(): Promise<Sha256>
  isStopping(): boolean
}

/**
 * False if nothing was done, because another apply is at work or no daemon waits for this one any
 * more.
 */
export async function applyProcess(parts: ApplyProcessParts): Promise<boolean> {
  const { home, txid, targetRoot, exec, disk, clock } = parts
  const folder = applyFolder(home, txid)
  const journal = await openJournal(folder.journal, clock)
  try {
    if (!(await takeApplyLock(home, txid))) {
      await journal.write(refusedStep)
      return false
    }
    // A daemon that gives up writes that first and then looks whether we hold the lock. We hold it
    // by now, and look second.
    if ((await disk.stat(folder.givenUp)) !== undefined) return false
    const plan = await readPlan(disk, folder)
    if (plan === undefined || (await readApplied(disk, folder)) !== undefined) return true
    const startedAt = clock.now()
    const endBy = clock.monotonicMs() + limits.applyTimeoutMs
    const damaged = new Set<Sha256>()
    let output = ''
    await journal.write('started')
    const outcomes = await runApply({
      plan,
      home,
      targetRoot,
      disk,
      copyFile: copyFileOnDisk,
      providers: providersFor({ targetRoot, home, exec: notingExec(exec, folder.programs), disk }),
      trustedRevision: parts.trustedRevision,
      onDamaged: (payload) => void damaged.add(payload),
      isStopping: () => parts.isStopping() || clock.monotonicMs() > endBy,
      context: {
        workFolder: folder.dir,
        journal: (step, name) => journal.write(step, name),
        output(text) {
          const kept = text.slice(-limits.outputKeptBytes)
          process.stdout.write(`${kept}\n`)
          output = `${output}${kept}\n`.slice(-limits.outputKeptBytes)
        },
      },
    })
    const restarts = await restartsOf(parts, { plan, outcomes, journal })
    const endedAt = clock.now()
    const applied: Applied = { schema: 1, txid, startedAt, endedAt, outcomes, damaged: [...damaged], restarts, output }
    await disk.write(folder.applied, JSON.stringify(applied), { mode: 0o600 })
    await journal.write('ended')
    return true
  } finally {
    await journal.close()
  }
}

/**
 * Asks the revision that is in force now. Without a revision that can be trusted, restarts are left
 * for the next apply.
 */
async function restartsOf(
  parts: ApplyProcessParts,
  { plan, outcomes, journal }: { plan: Plan; outcomes: readonly Outcome[]; journal: Journal },
): Promise<Applied['restarts']> {
  const { restarts: planned = [] } = plan
  if (planned.length === 0) return []
  try {
    const units = unitsIn((await loadRevision(parts)).revision)
    const { targetRoot, exec, disk, clock, isStopping } = parts
    return await runRestarts({
      ...{ planned, outcomes, units, targetRoot, exec, disk, clock, isStopping },
      journal: (step, name) => journal.write(step, name),
    })
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return []
  }
}
