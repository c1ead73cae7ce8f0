// Small objects: from our own folder, else once from above, however many ask.

import { createHash } from 'node:crypto'
import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { openObjectSource } from '../../src/node/object-source.ts'
import type { Uplink } from '../../src/node/uplink.ts'
import type { Objects } from '../../src/world/objects.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const manifest = bytesOf('a manifest')
const digest = digestOf(manifest)

/** A parent that answers when told to, and counts how often it was asked. */
function parentWith(answer: () => Promise<Uint8Array | undefined>, isNamed = true) {
  const kept = new Map<string, Uint8Array>()
  const attacks: string[] = []
  let asked = 0
  let turned = 0
  const objects: Objects = {
    get: async (sha256) => kept.get(sha256),
    put: async (bytes) => {
      kept.set(digestOf(bytes), bytes)
      return digestOf(bytes)
    },
    has: async (sha256) => kept.has(sha256),
    list: async () => [...kept.keys()],
    remove: async (sha256) => void kept.delete(sha256),
  }
  const uplink = {
    object: () => {
      asked += 1
      return answer()
    },
    parent: () => ({ node: 'berlin', address: '127.0.0.1' }),
    turnAway: () => {
      turned += 1
    },
  } as unknown as Uplink
  const named = { has: () => isNamed, learn: () => {} }
  const source = openObjectSource({
    objects,
    folder: '/objects',
    uplink,
    named,
    onAttack: ({ kind }) => attacks.push(kind),
  })
  return { source, kept, attacks, asked: () => asked, turned: () => turned }
}

t.test('a hundred callers at once cost one request, and later ones none', async (t) => {
  const parent = parentWith(async () => manifest)
  const answers = await Promise.all(Array.from({ length: 100 }, () => parent.source.get(digest)))
  t.ok(answers.every((bytes) => bytes === manifest))
  await parent.source.get(digest)
  t.equal(parent.asked(), 1)
  t.equal(await parent.source.pathOf(digest), `/objects/${digest}`)
})

t.test('bytes with another digest are refused, named as an attack and not kept', async (t) => {
  const parent = parentWith(async () => bytesOf('a forged manifest'))
  await t.rejects(parent.source.get(digest), { code: 'digest-mismatch', message: /from berlin/ })
  t.strictSame(parent.attacks, ['object-forged'])
  t.equal(parent.turned(), 1, 'and the next parent is asked for a while')
  t.equal(parent.kept.size, 0)
})

t.test('what the trusted revision does not lead to is passed on and not kept', async (t) => {
  const parent = parentWith(async () => manifest, false)
  t.equal(await parent.source.get(digest), manifest)
  t.equal(parent.kept.size, 0)
})

t.test('what nobody has is absent to some and a reason to try again to others', async (t) => {
  const parent = parentWith(async () => undefined)
  t.equal(await parent.source.get(digest), undefined)
  await t.rejects(parent.source.need(digest, 'manifest'), { code: 'not-found', retry: 'later' })
})

t.test('a failed request is not remembered', async (t) => {
  let works = false
  const parent = parentWith(async () => {
    if (works) return manifest
    throw new Failure('unreachable', 'gone', { retry: 'later' })
  })
  await t.rejects(parent.source.get(digest), { code: 'unreachable' })
  works = true
  t.equal(await parent.source.get(digest), manifest)
})
