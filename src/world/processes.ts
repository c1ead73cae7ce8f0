// Finds the processes of this machine that run from files which were replaced or removed since the
// processes started.

import { readdir, readFile } from 'node:fs/promises'

export interface OutdatedProcess {
  pid: number
  /** The service to which the process belongs; null if it belongs to none, such as a login. */
  unit: string | null
  /** One of the files. */
  file: string
}

/** Leaves out the processes that have ended by now or belong to another user. `folder` is /proc. */
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

/**
 * Only programs and libraries that are mapped as executable (proc_pid_maps(5)), not files that a
 * program writes and unlinks.
 */
export function deletedCodeIn(maps: string): string | undefined {
  if (!maps.includes(' (deleted)')) return undefined
  return /^\S+ \S*x\S* \S+ \S+ \S+ +(\/(?:usr|lib\w*|bin|sbin|opt)\/.*) \(deleted\)$/m.exec(maps)?.[1]
}

/**
 * `0::/system.slice/nginx.service` means nginx.service. A process in a container or a session
 * belongs to no service.
 */
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
