// Which objects a node keeps: those that the trusted revision leads to.

import { createHash } from 'node:crypto'
import t from 'tap'
import type { Manifest } from '../../src/model/manifest.ts'
import { createRevisionObjects } from '../../src/objects/revision-objects.ts'

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')

function manifestOf(name: string, via: 'object' | 'swarm'): { digest: string; bytes: Uint8Array } {
  const sha256 = digestOf(`payload of ${name}`)
  const swarm = { infoHash: 'a'.repeat(40), pieceLength: 1, metainfo: digestOf(`metainfo of ${name}`) }
  const manifest: Manifest = {
    schema: 1,
    name,
    version: '1',
    kind: 'tree',
    arch: 'all',
    payload: via === 'swarm' ? { via, sha256, size: 1, ...swarm } : { via, sha256, size: 1 },
    installedSize: 1,
    depends: [],
    summary: '',
    hooks: {},
  }
  const text = JSON.stringify(manifest)
  return { digest: digestOf(text), bytes: new TextEncoder().encode(text) }
}

t.test('the targets, the manifests of the revision, and what those name', async (t) => {
  const [small, large, other] = [
    manifestOf('small', 'object'),
    manifestOf('large', 'swarm'),
    manifestOf('other', 'object'),
  ]
  let manifests = new Set([small.digest, large.digest])
  const named = createRevisionObjects({ targets: () => [digestOf('revision')], manifests: () => manifests })
  t.ok(named.has(digestOf('revision')))
  t.ok(named.has(small.digest))
  t.notOk(named.has(digestOf('payload of small')), 'not before its manifest was read')
  for (const { digest, bytes } of [small, large, other]) named.learn(digest, bytes)
  t.ok(named.has(digestOf('payload of small')))
  t.ok(named.has(digestOf('metainfo of large')))
  t.notOk(named.has(digestOf('payload of large')), 'a payload that travels in pieces is no object')
  t.notOk(named.has(other.digest), 'a manifest that no revision names teaches nothing')
  t.notOk(named.has(digestOf('payload of other')))
  manifests = new Set([large.digest])
  t.notOk(named.has(digestOf('payload of small')), 'and is forgotten with the revision that named it')
  t.ok(named.has(digestOf('metainfo of large')))
})

t.test('a manifest that cannot be read names nothing', async (t) => {
  const digest = digestOf('{')
  const named = createRevisionObjects({ targets: () => [], manifests: () => new Set([digest]) })
  named.learn(digest, new TextEncoder().encode('{'))
  t.ok(named.has(digest))
})
