// The daemon's side of applying: starts the apply process, waits for it, and finds those of a former daemon.

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
  /** The program to run; the default is `apply-main` beside this file. */
  program?: string
  /** As a unit of systemd, for a daemon that is one itself; otherwise as a child. */
  asUnit?: boolean
}

export type FoundApply =
  | { txid: string; plan: Plan; state: 'finished'; applied: Applied }
  | { txid: string; plan: Plan; state: 'running' }
  /** It was killed, or the machine went down. What is named may have been changed. */
  | {
      txid: string
      plan: Plan
      state: 'aborted'
      attempted: PackageName[]
      restarts: (RestartResult | BegunRestart)[]
      lastStep: string | null
    }
  /** Another one was at work: nothing was done. */
  | { txid: string; plan: Plan; state: 'refused' }

/** Writes the plan down and starts the process that carries it out. */
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

/** The transactions whose outcomes nobody has taken yet, oldest first. What never began is cleared away. */
export async function findApplies({ home, disk }: ApplyParts): Promise<FoundApply[]> {
  const found: FoundApply[] = []
  for (const txid of await transactionsIn({ home, disk })) {
    const folder = applyFolder(home, txid)
    if ((await disk.stat(folder.taken)) !== undefined) continue
    // Asked for before the folder is read: a process that ends in between has written all it will.
    const isRunning = await isApplying(home, txid)
    const plan = await planOf(disk, folder.plan, () => readPlan(disk, folder))
    if (plan === undefined) await disk.remove(folder.dir)
    else found.push(await stateOf({ home, disk }, txid, plan, isRunning))
  }
  return found
}

/** Until it has ended, one way or the other. */
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

/** Says that what came out of it is stored, and clears older ones away. Doing it twice is fine. */
export async function markApplyTaken({ home, disk }: ApplyParts, txid: string): Promise<void> {
  const { dir, taken } = applyFolder(home, txid)
  if ((await disk.stat(dir)) === undefined) return
  // Left by an apply that was killed.
  await disk.remove(payloadsFolder(dir))
  await disk.write(taken, '')
  const done: string[] = []
  for (const one of await transactionsIn({ home, disk })) {
    if ((await disk.stat(applyFolder(home, one).taken)) !== undefined) done.push(one)
  }
  for (const old of done.slice(0, -limits.appliesKept)) await disk.remove(applyFolder(home, old).dir)
}

/** What an apply last printed: why it ended without a word in its outcomes. */
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
  // What cannot be read is judged by the machine, as after a kill.
  if (applied !== undefined && applied !== 'unreadable') return { txid, plan, state: 'finished', applied }
  const lines = journalLinesOf(await readIfThere(parts.disk, folder.journal, { maxBytes: limits.journalMaxBytes }))
  if (lines.at(-1)?.step === refusedStep) return { txid, plan, state: 'refused' }
  if (isRunning) return { txid, plan, state: 'running' }
  if (applied === undefined && (await parts.disk.stat(folder.givenUp)) === undefined) {
    await parts.disk.write(folder.givenUp, '')
    // It may have begun, or even ended, a moment before; now it can begin no more.
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

/** A plan that an older or newer program wrote is not ours to finish. */
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
