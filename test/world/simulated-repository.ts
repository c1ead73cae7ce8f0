// The real repository on the simulated disk. Only the reading of packages is simulated, because the
// real one uses the real file system. The results (payload, metainfo, manifest, entry) have the
// same form.

import { createHash } from 'node:crypto'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { type Manifest, parseManifest } from '../../src/model/manifest.ts'
import { openEntries } from '../../src/repository/entries.ts'
import { pieceLengthFor } from '../../src/repository/metainfo.ts'
import type { RepositoryParts } from '../../src/repository/published.ts'
import { publishedVersionOf } from '../../src/repository/publishing.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { digestOf } from './digests.ts'

export interface PackageSource {
  name: string
  version: string
  bytes: Uint8Array
  depends?: string[]
}

/** `sources` has what can be published, by path. */
export async function openSimulatedRepository(
  parts: RepositoryParts,
  sources: ReadonlyMap<string, PackageSource>,
): Promise<Repository> {
  const reopened = () => openRepository(parts)
  await reopened()
  return {
    packages: async () => (await reopened()).packages(),
    package: async (name) => (await reopened()).package(name),
    holdings: async () => (await reopened()).holdings(),
    compile: async (text, options) => (await reopened()).compile(text, options),
    adopt: async (manifest, body) => (await reopened()).adopt(manifest, body),
    async publish(path) {
      const source = sources.get(path)
      if (source === undefined) throw new Failure('not-found', `${path}: there is no such file or folder`)
      const { bytes } = source
      const { body, metainfo } = manifestOf(source)
      const { sha256 } = body.payload
      if (metainfo === undefined) await parts.objects.put(bytes)
      else {
        await parts.disk.write(`${parts.payloads}/${sha256}`, bytes)
        await parts.objects.put(metainfo)
      }
      const manifest = await parts.objects.put(new TextEncoder().encode(JSON.stringify(body)))
      const entry = { manifest, body, published: parts.clock.now() }
      await (await openEntries(parts)).add(entry)
      return { outcome: 'published', ...publishedVersionOf(entry), warnings: [] }
    },
  }
}

function manifestOf({ name, version, bytes, depends = [] }: PackageSource): { body: Manifest; metainfo?: Uint8Array } {
  const about = { schema: 1, name, version, kind: 'tree', arch: 'all' }
  const rest = { installedSize: bytes.length, depends, summary: `${name} of the tests`, hooks: {} }
  const digests = { sha256: digestOf('sha256', bytes), size: bytes.length }
  if (bytes.length < limits.swarmThresholdBytes) {
    const body = parseManifest({ ...about, payload: { via: 'object', ...digests }, ...rest }, name)
    return { body }
  }
  const pieceLength = pieceLengthFor(bytes.length)
  const info = infoOf(`${name}_${version}`, bytes, pieceLength)
  const metainfo = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])
  const payload = {
    ...{ via: 'swarm', ...digests, pieceLength },
    infoHash: createHash('sha1').update(info).digest('hex'),
    metainfo: digestOf('sha256', metainfo),
  }
  return { body: parseManifest({ ...about, payload, ...rest }, name), metainfo }
}

/** BEP 3. */
function infoOf(name: string, bytes: Uint8Array, pieceLength: number): Buffer {
  const digests: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceLength) {
    digests.push(Buffer.from(digestOf('sha1', bytes.subarray(at, at + pieceLength)), 'hex'))
  }
  const pieces = Buffer.concat(digests)
  const text = `d6:lengthi${bytes.length}e4:name${name.length}:${name}12:piece lengthi${pieceLength}e6:pieces`
  return Buffer.concat([Buffer.from(`${text}${pieces.length}:`), pieces, Buffer.from('e')])
}
