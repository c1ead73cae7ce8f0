// The processes of this machine that still run from files which were replaced or removed since they started.

import { readdir, readFile } from 'node:fs/promises'

export interface OutdatedProcess {
  pid: number
  /** The service that it is of; null if it is of none, such as a login. */
  unit: string | null
  /** One of the files. */
  file: string
}

/** What cannot be looked at, because it is gone by now or belongs to somebody else, is left out. `folder` is /proc. */
export async function outdatedProcesses(folder = '/proc'): Promise<OutdatedProcess[]> {
  const found: OutdatedProcess[] = []
  for (const name of await readdir(folder)) {
    if (!/^\d+$/.test(name)) continue
    const file = deletedCodeIn(await contentOf(`${folder}/${name}/maps`))
    if (file === undefined) continue
    found.push({ pid: Number(name), unit: serviceIn(await contentOf(`${folder}/${name}/cgroup`)), file })
  }
  return found
}

/** Programs and libraries that are mapped to be run (proc_pid_maps(5)), and not what a program writes to and unlinks. */
export function deletedCodeIn(maps: string): string | undefined {
  if (!maps.includes(' (deleted)')) return undefined
  return /^\S+ \S*x\S* \S+ \S+ \S+ +(\/(?:usr|lib\w*|bin|sbin|opt)\/.*) \(deleted\)$/m.exec(maps)?.[1]
}

/** `0::/system.slice/nginx.service` is of nginx.service. What runs in a container or a session is of none. */
export function serviceIn(cgroup: string): string | null {
  const path = /^(?:0:|\d+:name=systemd):(\/.*)$/m.exec(cgroup)?.[1] ?? ''
  const unit = /^\/system\.slice\/(?:[^/]+\.slice\/)*([^/]+\.service)(?:\/|$)/.exec(path)?.[1]
  return unit ?? null
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return ''
    throw error
  }
}
