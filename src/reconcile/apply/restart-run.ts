// Restarts the units that a plan names, through systemd, once their packages have changed.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Outcome } from '../../model/report.ts'
import type { UnitName } from '../../model/restarts.ts'
import type { Clock, Disk, Exec } from '../../world/world.ts'
import { lastLineOf } from '../last-line.ts'
import type { PlannedRestart } from '../planned-restart.ts'
import { isDue, type RestartResult } from '../restarts.ts'
import { restartedStep, restartFailedStep, restartingStep } from './journal.ts'

/** The restarts of one plan, and the world in which they are done. */
export interface RestartRunParts {
  planned: readonly PlannedRestart[]
  outcomes: readonly Outcome[]
  /**
   * The units that the signed revision has restarted. A unit that only the plan names is not
   * restarted.
   */
  units: ReadonlySet<UnitName>
  targetRoot: string
  exec: Pick<Exec, 'run'>
  disk: Pick<Disk, 'stat'>
  clock: Pick<Clock, 'now'>
  /** Durable when it resolves. */
  journal(step: string, name: string): Promise<void>
  /** Once true, the remaining restarts are left for the next apply. */
  isStopping(): boolean
}

/**
 * One result for each restart that was due. A unit that does not run is not started. A restart that
 * a killed apply had begun counts as done if the unit has another run by now: systemd finishes it
 * without the process that asked for it.
 */
export async function runRestarts(parts: RestartRunParts): Promise<RestartResult[]> {
  const results: RestartResult[] = []
  for (const planned of parts.planned) {
    if (!isDue(planned, parts.outcomes)) continue
    if (parts.isStopping()) break
    const { state, detail } = await restart(parts, planned)
    const text = detail.slice(0, limits.reportTextMaxChars)
    results.push({ unit: planned.unit, state, at: parts.clock.now(), ...(text !== '' && { detail: text }) })
  }
  return results
}

type RestartEnding = { state: 'done' | 'failed' | 'skipped'; detail: string }

async function restart(parts: RestartRunParts, { unit, owed }: PlannedRestart): Promise<RestartEnding> {
  const { exec, targetRoot } = parts
  if (!parts.units.has(unit)) return { state: 'skipped', detail: 'the revision in force does not name it' }
  if (targetRoot !== '/') return { state: 'skipped', detail: `packages lie below ${targetRoot}, services do not` }
  if ((await parts.disk.stat('/run/systemd/system')) === undefined) {
    return { state: 'skipped', detail: 'systemd does not run here' }
  }
  try {
    const { load, active, invocation } = await unitNow(exec, unit)
    if (load === 'not-found') return { state: 'skipped', detail: 'there is no such unit here' }
    if (active === 'inactive' || active === 'failed') return { state: 'skipped', detail: `it is ${active}` }
    if (owed !== undefined && owed.invocation !== null && owed.invocation !== invocation) {
      return { state: 'done', detail: 'by an apply that was interrupted' }
    }
    await parts.journal(`${restartingStep} ${invocation}`, unit)
    const { code, timedOut, stderr } = await systemctl(exec, ['try-restart', '--', unit])
    if (code === 0) {
      await parts.journal(restartedStep, unit)
      return { state: 'done', detail: '' }
    }
    const detail = timedOut ? 'it took too long' : lastLineOf(stderr) || `systemctl ended with ${code}`
    await parts.journal(`${restartFailedStep}${detail.slice(0, limits.reportTextMaxChars)}`, unit)
    return { state: 'failed', detail }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { state: 'failed', detail: error.message }
  }
}

async function unitNow(exec: Pick<Exec, 'run'>, unit: UnitName) {
  const names = ['LoadState', 'ActiveState', 'InvocationID']
  const { stdout } = await systemctl(exec, ['show', `--property=${names.join(',')}`, '--', unit])
  const known = new Map(stdout.split('\n').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]))
  const [load = '', active = '', invocation = ''] = names.map((name) => known.get(name))
  return { load, active, invocation }
}

function systemctl(exec: Pick<Exec, 'run'>, args: readonly string[]) {
  return exec.run({ program: 'systemctl', args: ['--no-ask-password', ...args], timeoutMs: limits.restartTimeoutMs })
}
