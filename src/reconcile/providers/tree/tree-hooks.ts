// A tree's own programs. They run in the version's folder, within a time, and with nothing on their
// standard input.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Hooks } from '../../../model/manifest.ts'
import type { Exec } from '../../../world/world.ts'
import { lastLineOf } from '../../last-line.ts'
import type { ApplyContext } from '../provider.ts'
import type { TreeEntry } from './tree-entries.ts'

/** What hooks run with. */
export interface HookParts {
  exec: Pick<Exec, 'run'>
  timeoutMs: number
  targetRoot: string
}

/** The first hook that is not a file of the tree. Undefined if all are. */
export function missingHook(hooks: Hooks, entries: readonly TreeEntry[]): string | undefined {
  const files = new Set(entries.filter((entry) => entry.kind === 'file').map((entry) => entry.path))
  return Object.values(hooks).find((hook) => !files.has(path.posix.normalize(hook)))
}

/** Why the hook failed. Undefined if it went well or the tree has none of that name. */
export async function runHook(
  { exec, timeoutMs, targetRoot }: HookParts,
  hook: { name: keyof Hooks; hooks: Hooks; folder: string; package: string; version: string },
  context: ApplyContext,
): Promise<string | undefined> {
  const file = hook.hooks[hook.name]
  if (file === undefined) return undefined
  await context.journal(`${hook.name} of ${hook.package} ${hook.version}`, hook.package)
  try {
    const result = await exec.run({
      program: path.join(hook.folder, file),
      args: [],
      cwd: hook.folder,
      timeoutMs,
      env: { BANYAN_PACKAGE: hook.package, BANYAN_VERSION: hook.version, BANYAN_TARGET_ROOT: targetRoot },
      outputMaxBytes: limits.outputKeptBytes,
    })
    const said = `${result.stdout}${result.stderr}`
    if (said !== '') context.output(`${hook.package} ${hook.version} ${hook.name}:\n${said}`)
    if (result.code === 0) return undefined
    const how = result.timedOut
      ? `took longer than ${timeoutMs} ms`
      : result.code === null
        ? `was ended by ${result.signal}`
        : `exited with ${result.code}`
    const last = lastLineOf(result.stderr) || lastLineOf(result.stdout)
    return `${hook.name} ${how}${last === '' ? '' : `: ${last}`}`
  } catch (error) {
    if (error instanceof Failure) return `${hook.name}: ${error.message}`
    throw error
  }
}
