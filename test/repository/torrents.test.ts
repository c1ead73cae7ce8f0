// The sample repository: whoever publishes it, on any machine, gets the info hashes that are in
// torrents/.

import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Published } from '../../src/repository/published.ts'
import { benchOf } from './workbench.ts'

const torrents = path.join(import.meta.dirname, '../../torrents')
const folders = fs.readdirSync(`${torrents}/packages`).sort()

t.test('publishing the samples gives the metainfo that is kept beside them, byte for byte', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const made: Record<string, string> = {}
  for (const folder of folders) {
    const { name, version, arch, payload } = await repository.publish(`${torrents}/packages/${folder}`)
    t.equal(folder, `${name}-${version}`)
    t.equal(payload.via, payload.size < limits.swarmThresholdBytes ? 'object' : 'swarm')
    if (payload.via !== 'swarm') continue
    const metainfo = Buffer.from((await bench.objects.get(payload.metainfo)) ?? '')
    made[`${name}_${version}_${arch}.torrent`] = metainfo.toString('base64')
    const infoHash = createHash('sha1').update(metainfo.subarray('d4:info'.length, -1)).digest('hex')
    t.equal(infoHash, payload.infoHash)
  }
  const kept = fs.readdirSync(torrents).filter((name) => name.endsWith('.torrent'))
  t.same(
    Object.fromEntries(kept.map((name) => [name, fs.readFileSync(`${torrents}/${name}`).toString('base64')])),
    made,
  )
})

t.test('info hashes, and digests of what has none, are those that fleets have seen', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const published: Published[] = []
  for (const folder of folders) published.push(await repository.publish(`${torrents}/packages/${folder}`))
  t.same(
    published.map(({ name, version, payload }) => [
      name,
      version,
      payload.via === 'swarm' ? payload.infoHash : payload.sha256,
    ]),
    [
      ['atlas', '1.0.0', '9201e90bf4e3c487c58db308201630435c2568e8'],
      ['greeter', '1.0.0', 'cf1c83474e227814ee05bcea70006895e4760eafcdc97d428d30d41cb4ff01d5'],
      ['greeter', '2.0.0', '17d59c130168c202a97b8944eeaccd3c4f00d9b865ceac8f5c47513345e9d9ca'],
      ['motd', '1.0.0', '6fe3bd8e4a5185082c475013b612833562c04e9376c9093655a4a897d9a4dc1f'],
      ['shop', '4.1.0', '8638cb6a6a5ed73e2a0f08ecb490744e0d358300'],
      ['shop', '4.2.0', '79ba07955182e9cb19d5d1b83a4a99b070fae4a6'],
    ],
  )
})

t.test('most pieces of an updated shop are those of the version before', async (t) => {
  const [before, after] = ['4.1.0', '4.2.0'].map((version) => {
    const metainfo = fs.readFileSync(`${torrents}/shop_${version}_all.torrent`).toString('latin1')
    const pieces = /6:pieces(\d+):/.exec(metainfo)
    const start = (pieces?.index ?? 0) + (pieces?.[0].length ?? 0)
    return Array.from({ length: Number(pieces?.[1]) / 20 }, (_, index) =>
      metainfo.slice(start + index * 20, start + index * 20 + 20),
    )
  })
  t.equal(after?.length, 5)
  t.equal(after?.filter((piece) => before?.includes(piece)).length, 3)
})
