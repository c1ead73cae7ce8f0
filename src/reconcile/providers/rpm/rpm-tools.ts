// How rpm, dnf and zypper are called: aimed at one target root and one database, and within a time.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Disk, Exec, RunResult } from '../../../world/world.ts'

/** How long each kind of call may take. */
export interface RpmWaits {
  queryMs: number
  transactionMs: number
  /** How long a transaction is tried again while another package manager holds the lock. */
  lockMs: number
}

/** The waits of a node; tests have shorter ones. */
export const rpmWaits: RpmWaits = {
  queryMs: limits.packageQueryTimeoutMs,
  transactionMs: limits.rpmTransactionTimeoutMs,
  lockMs: limits.rpmLockWaitMs,
}

export interface RpmToolParts {
  /** An absolute path. */
  targetRoot: string
  /** Where banyan keeps what it remembers; the default is `var/lib/banyan` below the target root. */
  home?: string
  exec: Pick<Exec, 'run' | 'which'>
  disk: Pick<Disk, 'read' | 'write' | 'makeFolder' | 'list' | 'stat' | 'remove' | 'pointLink' | 'freeBytes'> &
    Partial<Pick<Disk, 'freeFiles'>>
  waits: RpmWaits
}

/** Where rpm keeps what it knows. */
export interface RpmDatabase {
  /** The folder of the database, below the target root. */
  folder: string
  /** Whether this is where the machine's rpm looks by itself. */
  isDefault: boolean
}

export interface RunOptions {
  env?: Record<string, string>
  /** Called with each line as it is printed. */
  onLine?: (line: string) => void
}

/** What all calls of rpm, dnf and zypper share. */
export interface RpmTools extends RpmToolParts {
  readonly isIsolated: boolean
  database(): Promise<RpmDatabase>
  run(program: string, args: readonly string[], timeoutMs: number, options?: RunOptions): Promise<RunResult>
  /** Runs rpm itself on the target root's database. */
  rpm(args: readonly string[], timeoutMs: number): Promise<RunResult>
  /**
   * Asks rpm something, whatever its exit code says. Throws `program-failed` if it takes too long.
   */
  ask(args: readonly string[]): Promise<RunResult>
}

/** Throws `bad-input` for a target root that would not stand in dnf's script. */
export function rpmToolsFor(parts: RpmToolParts): RpmTools {
  const { targetRoot, exec, waits } = parts
  if (!path.isAbsolute(targetRoot) || /[\n']/.test(targetRoot)) {
    throw new Failure('bad-input', `target root ${targetRoot} is not a plain absolute path`)
  }
  const isIsolated = path.resolve(targetRoot) !== '/'
  let known: RpmDatabase | undefined

  const run: RpmTools['run'] = (program, args, timeoutMs, { env, onLine } = {}) =>
    exec.run({
      program,
      args,
      timeoutMs,
      // English, and UTF-8 for the packages' scripts.
      env: { LC_ALL: 'C.UTF-8', ...env },
      outputMaxBytes: limits.packageListMaxBytes,
      onLine: (_stream, line) => onLine?.(line),
    })

  const database = async () => {
    known ??= databaseAt((await run('rpm', ['--eval', '%{_dbpath}'], waits.queryMs)).stdout.trim())
    return known
  }

  const rpm: RpmTools['rpm'] = async (args, timeoutMs) => {
    const root = isIsolated ? [`--root=${targetRoot}`] : []
    return await run('rpm', [...root, `--dbpath=${(await database()).folder}`, ...args], timeoutMs)
  }

  const ask: RpmTools['ask'] = async (args) => {
    const result = await rpm(args, waits.queryMs)
    if (result.timedOut) throw new Failure('program-failed', `rpm ${args[0] ?? ''}: took too long`, { retry: 'later' })
    return result
  }

  return { ...parts, isIsolated, database, run, rpm, ask }
}

/**
 * Debian's rpm has its database in somebody's home. All programs are then told the usual folder.
 */
function databaseAt(ownFolder: string): RpmDatabase {
  const isDefault = ['/var/lib/rpm', '/usr/lib/sysimage/rpm'].includes(ownFolder)
  return { folder: isDefault ? ownFolder : '/var/lib/rpm', isDefault }
}
