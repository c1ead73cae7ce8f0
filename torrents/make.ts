// Makes the large files of the sample packages, then publishes all of them and keeps their metainfo beside this file.
// `node torrents/make.ts` again gives the same bytes, on any machine.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRepository, type Published } from '../src/repository/repository.ts'
import { systemDisk } from '../src/world/disk.ts'
import { systemExec } from '../src/world/exec.ts'
import { openObjects } from '../src/world/objects.ts'
import type { Log } from '../src/world/world.ts'

const here = import.meta.dirname
const packages = join(here, 'packages')

await writeFile(join(packages, 'shop-4.1.0/catalogue.csv'), catalogueOf({ items: 40_000, dearer: 0 }))
await writeFile(join(packages, 'shop-4.2.0/catalogue.csv'), catalogueOf({ items: 40_400, dearer: 60 }))
await writeFile(join(packages, 'atlas-1.0.0/heights.txt'), heightsOf(440))

const home = await mkdtemp(join(tmpdir(), 'banyan-torrents-'))
try {
  const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet }
  const objects = openObjects({ disk: systemDisk, dir: join(home, 'objects') })
  const repository = await openRepository({
    dir: join(home, 'repository'),
    payloads: join(home, 'store'),
    objects,
    disk: systemDisk,
    exec: systemExec,
    clock: { now: () => Date.now() },
    log: quiet,
  })
  for (const folder of (await readdir(packages)).sort()) {
    const published = await repository.publish(join(packages, folder))
    const { payload, name, version, arch } = published
    console.log(lineOf(published))
    if (payload.via !== 'swarm') continue
    const metainfo = await objects.get(payload.metainfo)
    if (metainfo !== undefined) await writeFile(join(here, `${name}_${version}_${arch}.torrent`), metainfo)
  }
} finally {
  await rm(home, { recursive: true, force: true })
}

function lineOf({ name, version, payload }: Published): string {
  const travels = payload.via === 'swarm' ? `info hash ${payload.infoHash}` : 'an object'
  return `${name} ${version}: ${payload.size} bytes, ${travels}`
}

/** Some items are dearer than before, and some are new at the end: most of the file stays where it was. */
function catalogueOf({ items, dearer }: { items: number; dearer: number }): string {
  const kinds = ['lamp', 'chair', 'table', 'shelf', 'clock', 'kettle', 'basket', 'blanket']
  const colours = ['red', 'blue', 'green', 'white', 'black', 'grey']
  const fraction = fractions(4)
  const lines = Array.from({ length: items }, (_, index) => {
    const kind = kinds[Math.floor(fraction() * kinds.length)]
    const colour = colours[Math.floor(fraction() * colours.length)]
    const cents = 100 + Math.floor(fraction() * 90_000) + (index < dearer ? 100 : 0)
    return `${String(index).padStart(5, '0')},${colour} ${kind},${(cents / 100).toFixed(2).padStart(8)}\n`
  })
  return lines.join('')
}

function heightsOf(side: number): string {
  const fraction = fractions(7)
  const rows: string[] = []
  let height = 400
  for (let row = 0; row < side; row += 1) {
    const cells = Array.from({ length: side }, () => {
      height = Math.max(0, Math.min(9999, height + Math.floor(fraction() * 41) - 20))
      return String(height).padStart(5)
    })
    rows.push(`${cells.join(' ')}\n`)
  }
  return rows.join('')
}

/** Park and Miller's minimal generator: the same numbers for ever. */
function fractions(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
