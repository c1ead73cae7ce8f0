// Stock webtorrent over its own plain TCP: one seed and one leech, each in a process of its own,
// with its ordinary settings.

import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { bytesOf, type Load } from '../load.ts'
import { memoryOf } from '../processes.ts'
import type { Lab } from '../site.ts'
import { lineOf, type Prepared, rootOf, type System, takersOf } from '../system.ts'
import { prepareSwarm, swarmNeeds } from './torrent-file.ts'

const script = fileURLToPath(new URL('webtorrent-main.js', import.meta.url))

export const webtorrent: System = { name: 'stock webtorrent, plain TCP', needs: swarmNeeds, prepare }

async function prepare(lab: Lab, load: Load): Promise<Prepared> {
  const torrent = await prepareSwarm(lab, load)
  const root = rootOf(lab)
  const start = async (name: string, part: 'seed' | 'leech') => {
    const seed = `${lab.address(root)}:6881`
    const child = lab.spawn(name, process.execPath, [script, torrent, path.join(lab.folder, name), part, seed])
    await lineOf(child, /^ready$/m, `webtorrent on ${name}`)
    return child
  }
  const seed = await start(root, 'seed')
  const [leech] = await Promise.all(takersOf(lab).map(({ name }) => start(name, 'leech')))
  if (leech === undefined) throw new Error('nobody to bring it to')
  return {
    bytes: bytesOf(load),
    go: async () => {
      const done = lineOf(leech, /^done$/m, 'webtorrent')
      leech.stdin?.write('\n')
      await done
      return Date.now()
    },
    details: async () => ({
      seedPeak: (await memoryOf(seed.pid ?? 0)).peak,
      leechPeak: (await memoryOf(leech.pid ?? 0)).peak,
    }),
  }
}
