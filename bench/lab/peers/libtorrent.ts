// libtorrent: every machine in one swarm, with its ordinary settings.

import path from 'node:path'
import { bytesOf, type Load } from '../load.ts'
import type { Lab } from '../site.ts'
import { lineOf, type Prepared, rootOf, type System, takersOf } from '../system.ts'
import { prepareSwarm, python, swarmNeeds, torrentScript } from './torrent-file.ts'

export const libtorrent: System = { name: 'libtorrent swarm', needs: swarmNeeds, prepare }

async function prepare(lab: Lab, load: Load): Promise<Prepared> {
  const torrent = await prepareSwarm(lab, load)
  const start = async (name: string, part: 'seed' | 'leech') => {
    const folder = path.join(lab.folder, name)
    const child = lab.spawn(name, python, [torrentScript, 'run', torrent, folder, lab.address(name), part])
    await lineOf(child, /^ready$/m, `libtorrent on ${name}`)
    return child
  }
  await start(rootOf(lab), 'seed')
  const children = await Promise.all(takersOf(lab).map(({ name }) => start(name, 'leech')))
  return {
    bytes: bytesOf(load),
    go: async () => {
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
