// Gives files of a tree to the users and groups that its package names. They may be made by its own
// preInstall hook, so this comes after it.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Accepted } from '../../../model/packages/tree-check.ts'
import { readIfThere } from '../../../world/read-if-there.ts'
import type { Disk, Exec } from '../../../world/world.ts'
import { openTreeFolders } from './tree-folders.ts'

/** An entry that is given away. */
export interface Given {
  path: string
  owner?: string | undefined
  group?: string | undefined
}

/** The entries that name an owner or a group, the deepest first. */
export function givenIn(accepted: readonly Accepted[]): Given[] {
  const given = accepted.flatMap((part): Given[] => {
    if (part.kind !== 'file' && part.kind !== 'folder') return []
    const { path, owner, group } = part
    return owner === undefined && group === undefined ? [] : [{ path, owner, group }]
  })
  return given.reverse()
}

/** Why it cannot be done: an account is missing. Undefined if all is given. */
export async function giveAway(
  parts: { exec: Pick<Exec, 'run'>; disk: Pick<Disk, 'read'>; targetRoot: string },
  folder: string,
  given: readonly Given[],
): Promise<string | undefined> {
  const ids = new Map<string, number | undefined>()
  const idOf = async (kind: 'passwd' | 'group', name: string | undefined) => {
    if (name === undefined) return undefined
    const key = `${kind} ${name}`
    if (!ids.has(key)) ids.set(key, await accountId(parts, kind, name))
    return ids.get(key)
  }
  // The hook may have given folders away already: no link is followed.
  const folders = openTreeFolders(folder)
  try {
    for (const { path: below, owner, group } of given) {
      const [uid, gid] = [await idOf('passwd', owner), await idOf('group', group)]
      if (owner !== undefined && uid === undefined) return missing('user', owner, below)
      if (group !== undefined && gid === undefined) return missing('group', group, below)
      const above = await folders.at(path.dirname(below))
      if (above === undefined) return `${below} was replaced by something else`
      const at = `${above.path}/${path.basename(below)}`
      const stat = await fs.lstat(at)
      await fs.lchown(at, uid ?? stat.uid, gid ?? stat.gid)
    }
    return undefined
  } finally {
    await folders.close()
  }
}

function missing(what: 'user' | 'group', name: string, path: string): string {
  return `there is no ${what} ${name} on this machine, to whom ${path} belongs: a preInstall hook or another package can make it`
}

/** `/etc/passwd` and `/etc/group` have the name first and the id third. */
async function accountId(
  { exec, disk, targetRoot }: Parameters<typeof giveAway>[0],
  kind: 'passwd' | 'group',
  name: string,
): Promise<number | undefined> {
  const file = path.join(targetRoot, 'etc', kind)
  const bytes = await readIfThere(disk, file, { maxBytes: limits.settingsMaxBytes })
  const text = bytes === undefined ? '' : new TextDecoder().decode(bytes)
  const lines = [...text.split('\n'), ...(targetRoot === '/' ? await askedFor(exec, kind, name) : [])]
  const line = lines.find((one) => one.startsWith(`${name}:`))
  const id = Number(line?.split(':')[2])
  return line !== undefined && Number.isSafeInteger(id) ? id : undefined
}

/** Accounts that come from a directory service are in no file. */
async function askedFor(exec: Pick<Exec, 'run'>, kind: 'passwd' | 'group', name: string): Promise<string[]> {
  try {
    const args = [kind, name]
    const asked = await exec.run({ program: 'getent', args, timeoutMs: limits.packageQueryTimeoutMs })
    return asked.stdout.split('\n')
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') return []
    throw error
  }
}
