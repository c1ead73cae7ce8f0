// A home's next identity, on its way in: everything lies in `<home>/keys/next` before any of it replaces
// what the node has. So a crash leaves the node as it was, or as it will be.

import path from 'node:path'
import { loadIdentity, type NodeIdentity, saveIdentity } from '../../trust/identity.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Disk, TlsIdentity } from '../../world/world.ts'
import type { Home } from './home.ts'

type NextDisk = Pick<Disk, 'read' | 'write' | 'stat' | 'makeFolder' | 'remove'>

export function nextIn(home: Home): string {
  return path.join(home.keys, 'next')
}

/** `settings` is the text of node.yaml. */
export async function saveNext(home: Home, tls: TlsIdentity, settings: string, disk: NextDisk): Promise<void> {
  const dir = nextIn(home)
  await disk.makeFolder(dir, { mode: 0o700 })
  await disk.write(path.join(dir, 'node.yaml'), settings, { mode: 0o600 })
  // The certificate comes last, and stands for all of it.
  await saveIdentity(dir, tls, disk)
}

/** Undefined if there is none, or if it is not complete. */
export async function loadNext(home: Home, disk: NextDisk): Promise<NodeIdentity | undefined> {
  const dir = nextIn(home)
  if ((await disk.stat(path.join(dir, 'node.crt.pem'))) === undefined) return undefined
  return await loadIdentity(dir, disk)
}

/** Moves the next identity in, if there is one. Whether anything of it runs is the caller's matter. */
export async function settleNext(home: Home, disk: NextDisk): Promise<void> {
  const next = await loadNext(home, disk)
  if (next === undefined) return
  const settings = await readIfThere(disk, path.join(nextIn(home), 'node.yaml'))
  await saveIdentity(home.keys, next.tls, disk)
  if (settings !== undefined) await disk.write(home.settings, settings, { mode: 0o600 })
  await disk.remove(nextIn(home))
}
