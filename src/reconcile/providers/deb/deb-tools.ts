// How dpkg and apt are called: aimed at one target root, asking nothing, and within a time.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Disk, Exec, RunResult } from '../../../world/world.ts'
import { lastLineOf } from '../../last-line.ts'

/** How long each kind of call may take. */
export interface DebWaits {
  queryMs: number
  transactionMs: number
  repairMs: number
  /** How long apt waits for the lock of another package manager. */
  lockMs: number
}

/** The waits of a node; tests have shorter ones. */
export const debWaits: DebWaits = {
  queryMs: limits.packageQueryTimeoutMs,
  transactionMs: limits.debTransactionTimeoutMs,
  repairMs: limits.debRepairTimeoutMs,
  lockMs: limits.debLockWaitMs,
}

export interface DebProgramParts {
  /**
   * An absolute path. Below any other than `/`, apt and dpkg are kept from the machine's own
   * settings.
   */
  targetRoot: string
  /** Where banyan keeps what it remembers; the default is `var/lib/banyan` below the target root. */
  home?: string
  exec: Pick<Exec, 'run' | 'which'>
  disk: Pick<Disk, 'read' | 'write' | 'makeFolder' | 'list' | 'stat' | 'remove' | 'pointLink' | 'freeBytes'> &
    Partial<Pick<Disk, 'freeFiles'>>
  waits: DebWaits
}

/** What all calls of dpkg and apt share. */
export interface DebTools {
  readonly targetRoot: string
  readonly isIsolated: boolean
  /** The folder of dpkg's database. */
  readonly database: string
  readonly disk: DebProgramParts['disk']
  readonly waits: DebWaits
  /** The options with which dpkg works on the target root. */
  readonly dpkgOptions: readonly string[]
  run(program: string, args: readonly string[], timeoutMs: number, env?: Record<string, string>): Promise<RunResult>
  /**
   * All that a query prints. Throws `program-failed` if it does not end well, unless its last words
   * are `nothing`: then it has found nothing.
   */
  read(program: string, args: readonly string[], nothing?: RegExp): Promise<string>
}

/**
 * English, and UTF-8: packages' scripts make databases of the encoding that they are run in.
 */
const environment = {
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
  NEEDRESTART_SUSPEND: '1',
  APT_LISTCHANGES_FRONTEND: 'none',
  APT_LISTBUGS_FRONTEND: 'none',
}

/** Throws `bad-input` for a target root that would not stand in apt's settings. */
export function debToolsFor({ targetRoot, exec, disk, waits }: DebProgramParts): DebTools {
  if (!path.isAbsolute(targetRoot) || /["\n\\;]/.test(targetRoot)) {
    throw new Failure('bad-input', `target root ${targetRoot} is not a plain absolute path`)
  }
  const isIsolated = path.resolve(targetRoot) !== '/'
  const run: DebTools['run'] = (program, args, timeoutMs, env = {}) =>
    exec.run({
      program,
      args,
      timeoutMs,
      env: { ...environment, ...env },
      outputMaxBytes: limits.packageListMaxBytes,
    })
  return {
    ...{ targetRoot, isIsolated, disk, waits, run },
    database: path.join(targetRoot, 'var/lib/dpkg'),
    dpkgOptions: isIsolated
      ? [`--root=${targetRoot}`, `--log=${path.join(targetRoot, 'var/log/dpkg.log')}`, '--force-script-chrootless']
      : [],
    async read(program, args, nothing) {
      const result = await run(program, args, waits.queryMs)
      const { code, stdout, stderr, timedOut } = result
      // Of an answer that is too long, only the end is kept.
      const isWhole = Buffer.byteLength(stdout) < limits.packageListMaxBytes
      if (code === 0 && isWhole) return stdout
      if (nothing?.test(lastLineOf(stderr))) return ''
      const why = timedOut ? 'took too long' : code === 0 ? 'its answer is too long' : errorTextOf(stderr)
      throw new Failure('program-failed', `${program} ${args[0] ?? ''}: ${why}`, { retry: 'later' })
    },
  }
}

/**
 * dpkg names the file that it could not read in one line, and what is wrong there in the next.
 */
function errorTextOf(stderr: string): string {
  const at = stderr.search(/^(dpkg|dpkg-query|dpkg-deb): (error|unrecoverable)/m)
  const text = at === -1 ? lastLineOf(stderr) : stderr.slice(at)
  return text
    .replace(/^\S+: (error|unrecoverable fatal error, aborting):/, '')
    .replace(/\s+/g, ' ')
    .trim()
}
