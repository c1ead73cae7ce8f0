// Packages of one name and two kinds that hold the same paths. Neither package manager knows of the
// other, so each takes away with its package what the other's holds as well.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { codeOf, messageOf } from '../../model/failure.ts'
import { keyOf } from '../differences.ts'
import type { Action } from '../plan.ts'
import { type FileState, fileStateOf, isStill } from '../providers/drift/file-state.ts'
import { putInPlace } from '../providers/drift/put-in-place.ts'
import type { Providers, Step } from '../providers/provider.ts'
import { treePlace } from '../providers/tree/tree-layout.ts'

/** What is kept while packages go. */
export interface Shared {
  /** Gives back what has gone with them. What could not be given back, by the key of the package. */
  giveBack(): Promise<Map<string, string>>
}

interface Kept {
  /** The package that goes, by `keyOf`. */
  key: string
  /** The path as the package that stays names it. */
  shown: string
  was: FileState
  /** A second name of the file, or a copy. */
  copy: string
}

/**
 * Puts aside what the packages that `steps` take away hold, and packages of the same names and other
 * kinds as well.
 */
export async function keepShared(
  { providers, targetRoot, workFolder }: { providers: Providers; targetRoot: string; workFolder: string },
  steps: readonly Step[],
): Promise<Shared> {
  const folder = path.join(workFolder, 'shared')
  const kept: Kept[] = []
  for (const { action } of steps) {
    if (action.what !== 'remove') continue
    for (const shown of await pathsShared(providers, targetRoot, action)) {
      const was = await fileStateOf(path.join(targetRoot, shown))
      const one = { key: keyOf(action.kind, action.name), shown, was, copy: path.join(folder, `${kept.length}`) }
      if (was.kind === 'file') await keepFile(path.join(targetRoot, shown), one.copy)
      kept.push(one)
    }
  }
  return {
    async giveBack() {
      const problems = new Map<string, string>()
      for (const { key, shown, was, copy } of kept) {
        if (was.kind === 'missing' || (await isStill(path.join(targetRoot, shown), was, 'quick'))) continue
        try {
          await putInPlace(targetRoot, shown, copy, was)
        } catch (error) {
          problems.set(key, `${shown} went with it and was not given back: ${messageOf(error)}`)
        }
      }
      await fs.rm(folder, { recursive: true, force: true })
      return problems
    },
  }
}

/** The folders first. As the package that stays names the paths. */
async function pathsShared(providers: Providers, root: string, { kind, name }: Action): Promise<string[]> {
  const others = [...providers.values()].filter((provider) => provider.kind !== kind)
  const held = (await Promise.all(others.map(async (other) => (await other.paths?.({ name })) ?? []))).flat()
  if (held.length === 0) return []
  const own = await realPaths(root, (await providers.get(kind)?.paths?.({ name })) ?? [])
  const shared = [...(await realPaths(root, held))].filter(([real]) => own.has(real)).map(([, shown]) => shown)
  return shared.sort((a, b) => a.split('/').length - b.split('/').length)
}

/** The paths by where they lie: `/lib` may be a link to `/usr/lib`. Those that are not there are left out. */
async function realPaths(root: string, paths: readonly string[]): Promise<Map<string, string>> {
  const folders = new Map<string, string | undefined>()
  const real = new Map<string, string>()
  for (const shown of paths) {
    const above = path.dirname(shown)
    if (!folders.has(above)) folders.set(above, await realPathOf(path.join(root, above)))
    const folder = folders.get(above)
    if (folder !== undefined) real.set(path.join(folder, path.basename(shown)), shown)
  }
  return real
}

async function realPathOf(folder: string): Promise<string | undefined> {
  try {
    return await fs.realpath(folder)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined
    throw error
  }
}

/** A second name keeps the content of what a package manager replaces or removes. */
async function keepFile(file: string, copy: string): Promise<void> {
  await fs.mkdir(path.dirname(copy), { recursive: true, mode: 0o700 })
  try {
    await fs.link(file, copy)
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'EEXIST', 'EOPNOTSUPP'].includes(codeOf(error))) throw error
    await fs.rm(copy, { force: true })
    await fs.copyFile(file, copy)
  }
}

/**
 * Whether a package can come only once the package of its name and another kind has gone: a tree's
 * folders are where the other package has files.
 */
export async function isInTheWay(providers: Providers, coming: Action, going: Action): Promise<boolean> {
  if (coming.kind !== 'tree' && going.kind !== 'tree') return false
  const { current, versions } = treePlace('/', coming.name)
  const isOfTree = (one: string) =>
    one === current || [current, versions].some((folder) => one.startsWith(`${folder}/`))
  const [kind, of] =
    coming.kind === 'tree' ? [going.kind, { name: going.name }] : [coming.kind, { payload: coming.source?.path ?? '' }]
  return ((await providers.get(kind)?.paths?.(of)) ?? []).some(isOfTree)
}
