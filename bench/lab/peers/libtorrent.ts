// libtorrent: every machine in one swarm, with its ordinary settings, and a plain tracker at the root.

import { copyFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../shell.ts'
import type { Lab } from '../site.ts'
import { lineOf, type Prepared, rootOf, type System, takersOf } from '../system.ts'
import { startTracker } from './tracker.ts'

const script = fileURLToPath(new URL('torrent.py', import.meta.url))
// Debian's own: that is where python3-libtorrent is installed.
const python = '/usr/bin/python3'

export const libtorrent: System = { name: 'libtorrent swarm', prepare }

async function prepare(lab: Lab, payload: string): Promise<Prepared> {
  const root = rootOf(lab)
  const tracker = await startTracker(lab, root)
  const own = path.join(lab.folder, root, 'payload')
  await copyFile(payload, own)
  const torrent = path.join(lab.folder, 'payload.torrent')
  await run(python, [script, 'make', own, torrent, tracker])
  const start = async (name: string, part: 'seed' | 'leech') => {
    const folder = path.join(lab.folder, name)
    const child = lab.spawn(name, python, [script, 'run', torrent, folder, lab.address(name), part])
    await lineOf(child, /^ready$/m, `libtorrent on ${name}`)
    return child
  }
  const seed = await start(root, 'seed')
  const children = await Promise.all(takersOf(lab).map(({ name }) => start(name, 'leech')))
  return {
    bytes: (await stat(payload)).size,
    go: async () => {
      seed.stdin?.write('\n')
      await Promise.all(
        children.map((child) => {
          const done = lineOf(child, /^done$/m, 'libtorrent')
          child.stdin?.write('\n')
          return done
        }),
      )
      return Date.now()
    },
  }
}
