// The daemon's side of an apply: starts the process, waits for it, and finds the processes of a
// former daemon.

import path from 'node:path'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { PackageName } from '../../model/names.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Clock, Disk, Exec, Random } from '../../world/world.ts'
import type { Plan } from '../plan.ts'
import type { BegunRestart, RestartResult } from '../restarts.ts'
import { type Applied, applyFolder, payloadsFolder, readApplied, readPlan } from './apply-folder.ts'
import { applyEnd, isApplying } from './apply-lock.ts'
import { asUnit } from './apply-unit.ts'
import {
  actingStep,
  type JournalLine,
  journalLinesOf,
  refusedStep,
  restartedStep,
  restartFailedStep,
  restartingStep,
} from './journal.ts'

export interface ApplyParts {
  home: string
  disk: Disk
}

export interface StartApplyParts extends ApplyParts {
  targetRoot: string
  exec: Pick<Exec, 'detach'>
  clock: Clock
  random: Random
  /** The program to run. The default is `apply-main` beside this file. */
  program?: string
  /**
   * Starts the process as a unit of systemd, for a daemon that is one itself. Otherwise it is a
   * detached child.
   */
  asUnit?: boolean
}

/** A transaction as its folder and the lock show it. */
export type FoundApply =
  | { txid: string; plan: Plan; state: 'finished'; applied: Applied }
  | { txid: string; plan: Plan; state: 'running' }
  /**
   * The process was killed, or the machine went down. The packages in `attempted` may have been
   * changed.
   */
  | {
      txid: string
      plan: Plan
      state: 'aborted'
      attempted: PackageName[]
      restarts: (RestartResult | BegunRestart)[]
      lastStep: string | null
    }
  /** Another apply was at work: nothing was done. */
  | { txid: string; plan: Plan; state: 'refused' }

/**
 * Writes the plan down and starts the process that carries it out. Resolves once the process runs,
 * with its pid.
 */
export async function startApply(parts: StartApplyParts, plan: Plan): Promise<{ txid: string; pid: number }> {
  const { home, disk, exec, clock, random } = parts
  const txid = `${clock.now().toString(36).padStart(9, '0')}-${Buffer.from(random.bytes(4)).toString('hex')}`
  const folder = applyFolder(home, txid)
  await disk.makeFolder(folder.dir, { mode: 0o700 })
  await disk.write(folder.plan, JSON.stringify(plan), { mode: 0o600 })
  const program = parts.program ?? path.join(import.meta.dirname, `apply-main${path.extname(import.meta.filename)}`)
  const cache = process.env['NODE_COMPILE_CACHE']
  const child = {
    program: process.execPath,
    args: [program, home, txid, parts.targetRoot],
    outputFile: folder.output,
    ...(cache === undefined ? {} : { env: { NODE_COMPILE_CACHE: cache } }),
  }
  const { pid } = await exec.detach(parts.asUnit === true ? asUnit(child, txid) : child)
  return { txid, pid }
}

/**
 * The transactions whose outcomes are not stored yet, the oldest first. Removes the folders of
 * those that never began.
 */
export async function findApplies({ home, disk }: ApplyParts): Promise<FoundApply[]> {
  const found: FoundApply[] = []
  for (const txid of await transactionsIn({ home, disk })) {
    const folder = applyFolder(home, txid)
    if ((await disk.stat(folder.taken)) !== undefined) continue
    // The lock is asked before the folder is read: a process that ends in between has written
    // everything by then.
    const isRunning = await isApplying(home, txid)
    const plan = await planOf(disk, folder.plan, () => readPlan(disk, folder))
    if (plan === undefined) await disk.remove(folder.dir)
    else found.push(await stateOf({ home, disk }, txid, plan, isRunning))
  }
  return found
}

/** Resolves when the apply has ended, one way or the other. */
export async function waitForApply(
  parts: ApplyParts & { clock: Clock },
  started: { txid: string; plan: Plan; pid?: number },
): Promise<Exclude<FoundApply, { state: 'running' }>> {
  const { home, disk, clock } = parts
  const { txid, plan, pid } = started
  const startBy = clock.monotonicMs() + limits.applyStartMs
  for (let waitMs = 10; ; waitMs = Math.min(2 * waitMs, 500)) {
    const isRunning = await isApplying(home, txid)
    const isStarting = !isRunning && pid !== undefined && isAlive(pid) && clock.monotonicMs() < startBy
    const state = await stateOf({ home, disk }, txid, plan, isRunning || isStarting)
    if (state.state !== 'running') return state
    if (isRunning) await applyEnd(home, txid)
    else await new Promise<void>((resolve) => clock.after(waitMs, resolve))
  }
}

/**
 * Marks the outcomes as stored, and removes the oldest marked folders but `limits.appliesKept`. May
 * be called twice.
 */
export async function markApplyTaken({ home, disk }: ApplyParts, txid: string): Promise<void> {
  const { dir, taken } = applyFolder(home, txid)
  if ((await disk.stat(dir)) === undefined) return
  // The payloads are still there if the apply was killed.
  await disk.remove(payloadsFolder(dir))
  await disk.write(taken, '')
  const done: string[] = []
  for (const one of await transactionsIn({ home, disk })) {
    if ((await disk.stat(applyFolder(home, one).taken)) !== undefined) done.push(one)
  }
  for (const old of done.slice(0, -limits.appliesKept)) await disk.remove(applyFolder(home, old).dir)
}

/**
 * The last error, or else the last line, that an apply printed: why it ended without outcomes.
 * Empty if nothing.
 */
export async function lastWordsOf({ home, disk }: ApplyParts, txid: string): Promise<string> {
  const file = applyFolder(home, txid).output
  const size = (await disk.stat(file))?.size ?? 0
  if (size > limits.journalMaxBytes) return ''
  const bytes = await readIfThere(disk, file, { maxBytes: limits.journalMaxBytes })
  const lines = new TextDecoder().decode(bytes).trim().split('\n')
  return (lines.findLast((line) => /\w*(Error|Failure)\b.*: /.test(line)) ?? lines.at(-1) ?? '').trim()
}

async function transactionsIn({ home, disk }: ApplyParts): Promise<string[]> {
  const dir = path.join(home, 'apply')
  return (await disk.stat(dir)) === undefined ? [] : await disk.list(dir)
}

async function stateOf(parts: ApplyParts, txid: string, plan: Plan, isRunning: boolean): Promise<FoundApply> {
  const folder = applyFolder(parts.home, txid)
  const applied = await readApplied(parts.disk, folder)
  // After outcomes that cannot be read, the machine is judged as after a kill.
  if (applied !== undefined && applied !== 'unreadable') return { txid, plan, state: 'finished', applied }
  const lines = journalLinesOf(await readIfThere(parts.disk, folder.journal, { maxBytes: limits.journalMaxBytes }))
  if (lines.at(-1)?.step === refusedStep) return { txid, plan, state: 'refused' }
  if (isRunning) return { txid, plan, state: 'running' }
  if (applied === undefined && (await parts.disk.stat(folder.givenUp)) === undefined) {
    await parts.disk.write(folder.givenUp, '')
    // The process may have begun, or even ended, a moment before. From now on it cannot begin.
    return await stateOf(parts, txid, plan, await isApplying(parts.home, txid))
  }
  const attempted = lines.flatMap(({ step, name }) => (step === actingStep && name !== undefined ? [name] : []))
  const restarts = restartsIn(lines)
  return { txid, plan, state: 'aborted', attempted, restarts, lastStep: lines.at(-1)?.step ?? null }
}

function restartsIn(lines: readonly JournalLine[]): (RestartResult | BegunRestart)[] {
  const found = new Map<string, RestartResult | BegunRestart>()
  for (const { step, name, at } of lines) {
    if (name === undefined) continue
    const [, invocation] = step.split(' ')
    if (step === restartedStep) found.set(name, { unit: name, state: 'done', at })
    else if (step.startsWith(restartFailedStep)) {
      found.set(name, { unit: name, state: 'failed', at, detail: step.slice(restartFailedStep.length) })
    } else if (step.startsWith(`${restartingStep} `)) {
      found.set(name, { unit: name, state: 'begun', at, invocation: invocation ?? '' })
    }
  }
  return [...found.values()]
}

/**
 * Undefined, and removed, if another version of this program wrote the plan: then it is not ours to
 * finish.
 */
async function planOf(disk: Disk, file: string, read: () => Promise<Plan | undefined>): Promise<Plan | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'bad-input')) throw error
    await disk.remove(file)
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return true
    return false
  }
}
