// Who else could change or read a folder: what lies on its path, what lies in it, and its modes.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { Failure } from '../model/failure.ts'
import { diskFailureOf, isAbsence } from './disk-failure.ts'

/** A folder or link on the way to a folder, or something that lies in the folder. */
export interface PathStep {
  path: string
  kind: 'folder' | 'link' | 'other'
  uid: number
  gid: number
  mode: number
}

/** As many as the kernel follows (path_resolution(7)). */
const linksMax = 40

/** The way to a folder, and the folder itself if it is there. A link stands before what it leads to. */
export interface Way {
  above: PathStep[]
  folder: PathStep | undefined
}

/** The folders and links that the kernel passes on its way from `/` to an absolute path. */
export async function wayTo(target: string): Promise<Way> {
  const above: PathStep[] = []
  let at = '/'
  let left = namesIn(target)
  let links = 0
  for (;;) {
    const step = await stepAt(at)
    if (step === undefined) return { above, folder: undefined }
    if (step.kind === 'link') {
      links += 1
      if (links > linksMax) throw new Failure('refused', `${target} leads through more than ${linksMax} links`)
      const to = await fs.readlink(at)
      left = [...namesIn(to), ...left]
      at = to.startsWith('/') ? '/' : path.dirname(at)
    }
    const next = left.shift()
    if (next === undefined && step.kind !== 'link') return { above, folder: step }
    above.push(step)
    at = path.join(at, next ?? '')
  }
}

/** What lies in a folder, without what lies deeper. Empty for a missing folder. */
export async function stepsIn(folder: string): Promise<PathStep[]> {
  const names = await fs.readdir(folder).catch((error) => {
    if (isAbsence(error)) return []
    throw diskFailureOf(error, `list ${folder}`)
  })
  const found = await Promise.all(names.sort().map((name) => stepAt(path.join(folder, name))))
  return found.filter((step) => step !== undefined)
}

/** Sets the mode of a folder. */
export async function setMode(folder: string, mode: number): Promise<void> {
  try {
    await fs.chmod(folder, mode)
  } catch (error) {
    throw diskFailureOf(error, `set the mode of ${folder}`)
  }
}

function namesIn(text: string): string[] {
  return text.split('/').filter((name) => name !== '' && name !== '.')
}

async function stepAt(at: string): Promise<PathStep | undefined> {
  try {
    const found = await fs.lstat(at)
    const kind = found.isDirectory() ? 'folder' : found.isSymbolicLink() ? 'link' : 'other'
    return { path: at, kind, uid: found.uid, gid: found.gid, mode: found.mode & 0o7777 }
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw diskFailureOf(error, `look at ${at}`)
  }
}
