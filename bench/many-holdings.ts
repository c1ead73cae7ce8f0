// Fills the home of a stopped node with whole holdings of sparse files, by the node's own records.
// Nothing in them is real but their sizes and names: a node that hashed any of them would find out.

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import path from 'node:path'
import type { HoldingSpec } from '../src/model/manifest.ts'
import { homeAt } from '../src/node/setup/home.ts'
import { openHoldings } from '../src/swarm/holdings/holdings.ts'
import { systemClock } from '../src/world/clock.ts'
import { systemDisk } from '../src/world/disk.ts'
import { createLog } from '../src/world/log.ts'
import { openLevelStore } from '../src/world/store/store.ts'

const pieceLength = 256 * 1024

/** Of `size` bytes each; resolves with their specs. */
export async function fillHome(dir: string, { count, size }: { count: number; size: number }): Promise<HoldingSpec[]> {
  const home = homeAt(dir)
  const store = await openLevelStore(home.state)
  const log = createLog({ write: () => {}, level: 'error', journal: false, clock: systemClock })
  const holdings = await openHoldings({
    ...{ dir: home.store, store: store.sub('swarm'), disk: systemDisk, log },
    onEvent: () => {},
    onChange: () => {},
  })
  const specs = Array.from({ length: count }, (_, index) => sparseSpec(index, size))
  const fill = async (spec: HoldingSpec) => {
    const file = await open(path.join(home.store, spec.payload.sha256), 'w')
    await file.truncate(size)
    await file.close()
    await holdings.add(spec)
    await holdings.happened(spec.payload.infoHash, { kind: 'adopted', at: Date.now() })
  }
  for (let done = 0; done < count; done += 500) await Promise.all(specs.slice(done, done + 500).map(fill))
  await holdings.close()
  await store.close()
  return specs
}

function sparseSpec(index: number, size: number): HoldingSpec {
  const name = `sparse-${index}`
  const digest = (what: string) => createHash('sha256').update(`${what} of ${name}`).digest('hex')
  const pieces = createHash('shake256', { outputLength: 20 * Math.ceil(size / pieceLength) })
    .update(name)
    .digest()
  const info = Buffer.concat([
    Buffer.from(`d6:lengthi${size}e4:name${name.length}:${name}12:piece lengthi${pieceLength}e6:pieces`),
    Buffer.from(`${pieces.length}:`),
    pieces,
    Buffer.from('e'),
  ])
  const metainfo = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])
  const infoHash = createHash('sha1').update(info).digest('hex')
  const payload = {
    via: 'swarm' as const,
    sha256: digest('payload'),
    size,
    infoHash,
    pieceLength,
    metainfo: digest('metainfo'),
  }
  return { manifest: digest('manifest'), name, version: '1.0', payload, metainfo: Uint8Array.from(metainfo) }
}
