// rsync through staging servers: each level takes all files from the one above, then gives them on.

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { bytesOf, type Load } from '../load.ts'
import type { Lab } from '../site.ts'
import { ended, listening, type Prepared, rootOf, type System, stagingOf, takersOf } from '../system.ts'

export const rsync: System = { name: 'rsync through staging', needs: { rsync: 'rsync' }, prepare }

async function prepare(lab: Lab, load: Load): Promise<Prepared> {
  const root = rootOf(lab)
  await daemon(lab, root, load.folder)
  for (const { name } of stagingOf(lab)) await daemon(lab, name, path.join(lab.folder, name, 'load'))
  const fetch = async (parent: string): Promise<void> => {
    const children = takersOf(lab).filter((each) => each.parent === parent)
    await Promise.all(
      children.map(async ({ name }) => {
        const source = `rsync://${lab.address(parent)}:8730/all/`
        await ended(lab.spawn(name, 'rsync', ['-r', '--whole-file', source, 'load']), `rsync on ${name}`)
        await fetch(name)
      }),
    )
  }
  return {
    bytes: bytesOf(load),
    go: async () => {
      await fetch(root)
      return Date.now()
    },
  }
}

async function daemon(lab: Lab, machine: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const file = path.join(lab.folder, machine, 'rsyncd.conf')
  const lines = [`address = ${lab.address(machine)}`, 'port = 8730', 'use chroot = no', 'uid = root', 'gid = root']
  await writeFile(file, `${lines.join('\n')}\n[all]\npath = ${folder}\nread only = yes\n`)
  // Node's pipes are sockets, and with one as its input rsync takes itself for a child of inetd.
  lab.spawn(machine, 'sh', ['-c', `exec rsync --daemon --no-detach --config=${file} < /dev/null`]).stderr?.resume()
  await listening(lab, machine, 8730)
}
