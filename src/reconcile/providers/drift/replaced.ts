// Puts aside what a heal is about to replace: copies below the home folder, for the administrator
// alone, a bounded number and size of them.

import type { Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { codeOf, Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Kind } from '../../../model/manifest.ts'
import type { PackageName } from '../../../model/names.ts'
import { diskFailureOf } from '../../../world/disk-failure.ts'
import { lstatOf, openPlain } from './file-state.ts'
import { linkFromPlace, type Placed } from './put-in-place.ts'

/** What one heal replaces. */
export interface Replaced {
  /**
   * Copies a file or a link. `source` is where it can be read now, `shown` its absolute path on the
   * machine. Anything else is left out. Throws `refused` if it is too large, `no-space` or `disk`.
   */
  keep(source: string, shown: string): Promise<string | undefined>
  /**
   * The same for what goes back afterwards: a second name of the file, or a copy where that is not
   * possible. It does not count as kept.
   */
  hold(root: string, shown: string): Promise<{ copy: string; was: Placed } | undefined>
  /** For the detail of an outcome. Undefined if nothing was kept. */
  note(): string | undefined
  /** The heal came to nothing: what was kept for it goes again. */
  discard(): Promise<void>
  /** Removes older copies beyond the limits. */
  prune(): Promise<void>
}

export function openReplaced(home: string, kind: Kind, name: PackageName): Replaced {
  const all = path.join(home, 'replaced')
  const own = path.join(all, `${kind}-${name}`)
  const kept: string[] = []
  let bytes = 0
  let folder: string | undefined

  async function makeFolder(): Promise<string> {
    await fs.mkdir(all, { recursive: true, mode: 0o700 })
    await fs.chmod(all, 0o700)
    await fs.mkdir(own, { recursive: true, mode: 0o700 })
    const last = Math.max(0, ...(await numbersIn(own)))
    const made = path.join(own, `${last + 1}`)
    await fs.mkdir(made, { mode: 0o700 })
    return made
  }

  async function placeFor(shown: string): Promise<string> {
    folder ??= await makeFolder()
    const target = path.join(folder, shown)
    await fs.mkdir(path.dirname(target), { recursive: true, mode: 0o700 })
    return target
  }

  async function copy(source: string, shown: string): Promise<string | undefined> {
    const stat = await lstatOf(source)
    if (stat === undefined || !(stat.isFile() || stat.isSymbolicLink())) return undefined
    bytes += stat.isFile() ? stat.size : 0
    if (bytes > limits.replacedMaxBytes || kept.length >= limits.replacedFilesMax) throw tooMuch(shown)
    const target = await placeFor(shown)
    if (stat.isSymbolicLink()) await fs.symlink(await fs.readlink(source), target)
    else await copyFile(source, target)
    kept.push(shown)
    return target
  }

  return {
    async keep(source, shown) {
      try {
        return await copy(source, shown)
      } catch (error) {
        throw diskFailureOf(error, `keep ${shown} aside in ${all}`, 'later')
      }
    },
    async hold(root, shown) {
      const source = path.join(root, shown)
      const stat = await lstatOf(source)
      if (stat === undefined || !(stat.isFile() || stat.isSymbolicLink())) return undefined
      try {
        const target = await placeFor(shown)
        const isSecondName = await isLinked(root, shown, target)
        if (!isSecondName && stat.isFile()) await copyFile(source, target)
        return { copy: target, was: await placedOf(source, stat, isSecondName) }
      } catch (error) {
        throw diskFailureOf(error, `keep ${shown} aside in ${all}`, 'later')
      }
    },
    note: () => (kept.length === 0 ? undefined : `what was there is kept in ${folder}`),
    async discard() {
      if (folder !== undefined) await fs.rm(folder, { recursive: true, force: true })
      folder = undefined
      kept.length = 0
    },
    prune: () => pruneBelow(all, own),
  }
}

/** False where the disk of the file is another one, or knows no second names. */
async function isLinked(root: string, shown: string, target: string): Promise<boolean> {
  try {
    await linkFromPlace(root, shown, target)
    return true
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'EOPNOTSUPP'].includes(codeOf(error))) throw error
    return false
  }
}

async function placedOf(source: string, stat: Stats, isSecondName: boolean): Promise<Placed> {
  if (stat.isSymbolicLink()) return { kind: 'link', target: await fs.readlink(source) }
  const { uid, gid, mtimeMs } = stat
  const second = isSecondName ? { isSecondName } : {}
  return { kind: 'file', mode: stat.mode & 0o7777, uid, gid, mtimeMs, ...second }
}

function tooMuch(shown: string): Failure {
  const most = `${limits.replacedMaxBytes} bytes in ${limits.replacedFilesMax} files`
  const what = `${shown} differs and would be replaced, but what is replaced is kept, and this is more than ${most}`
  return new Failure('refused', `${what}: move it away, or name it under ignore: in its rule`, { retry: 'later' })
}

/** With the time of the source, so that people see when it was last changed. */
async function copyFile(source: string, target: string): Promise<void> {
  const from = await openPlain(source)
  try {
    const stat = await from.stat()
    const to = await fs.open(target, 'wx', 0o600)
    try {
      await to.writeFile(from.createReadStream({ autoClose: false }))
      await to.utimes(stat.atime, stat.mtime)
      await to.sync()
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

async function numbersIn(folder: string): Promise<number[]> {
  return (await namesIn(folder)).filter((name) => /^\d+$/.test(name)).map(Number)
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

async function pruneBelow(all: string, own: string): Promise<void> {
  const numbers = (await numbersIn(own)).sort((a, b) => b - a)
  for (const old of numbers.slice(limits.replacedKept)) await fs.rm(path.join(own, `${old}`), { recursive: true })
  const heals: { folder: string; at: number; bytes: number }[] = []
  for (const each of await namesIn(all)) {
    for (const number of await numbersIn(path.join(all, each))) {
      const folder = path.join(all, each, `${number}`)
      heals.push({ folder, at: (await fs.stat(folder)).mtimeMs, bytes: await bytesIn(folder) })
    }
  }
  let total = 0
  for (const { folder, bytes } of heals.sort((a, b) => b.at - a.at)) {
    total += bytes
    if (total > limits.replacedTotalMaxBytes) await fs.rm(folder, { recursive: true })
  }
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await fs.readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await fs.lstat(path.join(entry.parentPath, entry.name))).size
  }
  return bytes
}
