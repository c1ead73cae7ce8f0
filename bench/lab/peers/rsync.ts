// rsync through staging servers: each level takes the whole file from the one above, then gives it on.

import { copyFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Lab } from '../site.ts'
import { ended, listening, type Prepared, rootOf, type System, stagingOf, takersOf } from '../system.ts'

export const rsync: System = { name: 'rsync through staging', prepare }

async function prepare(lab: Lab, payload: string): Promise<Prepared> {
  const root = rootOf(lab)
  await copyFile(payload, path.join(lab.folder, root, 'payload'))
  for (const name of [root, ...stagingOf(lab).map(({ name }) => name)]) await daemon(lab, name)
  const fetch = async (parent: string): Promise<void> => {
    const children = takersOf(lab).filter((each) => each.parent === parent)
    await Promise.all(
      children.map(async ({ name }) => {
        const source = `rsync://${lab.address(parent)}:8730/all/payload`
        await ended(lab.spawn(name, 'rsync', ['--whole-file', source, 'payload']), `rsync on ${name}`)
        await fetch(name)
      }),
    )
  }
  return {
    bytes: (await stat(payload)).size,
    go: async () => {
      await fetch(root)
      return Date.now()
    },
  }
}

async function daemon(lab: Lab, machine: string): Promise<void> {
  const folder = path.join(lab.folder, machine)
  const file = path.join(folder, 'rsyncd.conf')
  const lines = [`address = ${lab.address(machine)}`, 'port = 8730', 'use chroot = no', 'uid = root', 'gid = root']
  await writeFile(file, `${lines.join('\n')}\n[all]\npath = ${folder}\nread only = yes\n`)
  // Node's pipes are sockets, and with one as its input rsync takes itself for a child of inetd.
  lab.spawn(machine, 'sh', ['-c', `exec rsync --daemon --no-detach --config=${file} < /dev/null`]).stderr?.resume()
  await listening(lab, machine, 8730)
}
