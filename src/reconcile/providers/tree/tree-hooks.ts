// A tree's own programs. They run in the version's folder, within a time, and with nothing on their
// standard input.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { codeOf, Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Hooks, HookTimeouts } from '../../../model/manifest.ts'
import type { Exec } from '../../../world/world.ts'
import { lastLineOf } from '../../last-line.ts'
import type { ApplyContext } from '../provider.ts'
import type { TreeEntry } from './tree-entries.ts'

/** What hooks run with. */
export interface HookParts {
  exec: Pick<Exec, 'run'>
  /** For a hook that nobody gave a time. */
  timeoutMs: number
  /** The time that a rule gives every hook. */
  ruleTimeoutMs?: number | undefined
  targetRoot: string
}

/** One hook of one version. */
export interface HookOf {
  name: keyof Hooks
  hooks: Hooks
  timeouts: HookTimeouts | undefined
  folder: string
  package: string
  version: string
}

/** The first hook that is not a file of the tree. Undefined if all are. */
export function missingHook(hooks: Hooks, entries: readonly TreeEntry[]): string | undefined {
  const files = new Set(entries.filter((entry) => entry.kind === 'file').map((entry) => entry.path))
  return Object.values(hooks).find((hook) => !files.has(path.posix.normalize(hook)))
}

/** Why the hook failed. Undefined if it went well or the tree has none of that name. */
export async function runHook(parts: HookParts, hook: HookOf, context: ApplyContext): Promise<string | undefined> {
  const file = hook.hooks[hook.name]
  if (file === undefined) return undefined
  const { exec, targetRoot } = parts
  const timeoutMs = parts.ruleTimeoutMs ?? hook.timeouts?.[hook.name] ?? parts.timeoutMs
  await context.journal(`${hook.name} of ${hook.package} ${hook.version}`, hook.package)
  try {
    const result = await exec.run({
      program: path.join(hook.folder, file),
      args: [],
      cwd: hook.folder,
      timeoutMs,
      env: {
        BANYAN_PACKAGE: hook.package,
        BANYAN_VERSION: hook.version,
        // A heal runs hooks in a folder that takes this place only afterwards.
        BANYAN_FOLDER: path.join(path.dirname(hook.folder), hook.version),
        BANYAN_TARGET_ROOT: targetRoot,
      },
      outputMaxBytes: limits.outputKeptBytes,
    })
    const said = `${result.stdout}${result.stderr}`
    if (said !== '') context.output(`${hook.package} ${hook.version} ${hook.name}:\n${said}`)
    if (result.code === 0) return undefined
    const how = result.timedOut
      ? `took longer than ${timeoutMs / 1000} s and was ended (timeout: in banyan.yaml or its rule gives it more)`
      : result.code === null
        ? `was ended by ${result.signal}`
        : `exited with ${result.code}`
    const last = lastLineOf(result.stderr) || lastLineOf(result.stdout)
    return `${hook.name} ${how}${last === '' ? '' : `: ${last}`}`
  } catch (error) {
    if (error instanceof Failure) return `${hook.name}: ${error.message}${await whyNotRun(error, hook, file)}`
    throw error
  }
}

/** Of a program that may be run, only a disk that runs none says that access is denied. */
async function whyNotRun({ cause }: Failure, { folder }: HookOf, file: string): Promise<string> {
  if (codeOf(cause) !== 'EACCES') return ''
  const { mode } = await fs.stat(path.join(folder, file))
  return (mode & 0o111) === 0 ? ': it is not executable' : ': its disk is mounted noexec'
}
