// Objects by digest: what is read is what was asked for, or nothing.

import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { openObjects } from '../../src/world/objects.ts'

const bytes = new TextEncoder().encode('an object')
const sha256 = createHash('sha256').update(bytes).digest('hex')

function objectsIn(t: Test) {
  const dir = path.join(t.testdir({}), 'objects')
  return { dir, file: path.join(dir, sha256), objects: openObjects({ disk: systemDisk, dir }) }
}

t.test('what was put is there, under the digest of its bytes', async (t) => {
  const { objects } = objectsIn(t)
  t.notOk(await objects.has(sha256))
  t.equal(await objects.get(sha256), undefined)
  t.same(await objects.list(), [])
  t.equal(await objects.put(bytes), sha256)
  t.equal(await objects.put(bytes), sha256)
  t.same(await objects.get(sha256), bytes)
  t.ok(await objects.has(sha256))
  t.same(await objects.list(), [sha256])
  await objects.remove(sha256)
  await objects.remove(sha256)
  t.notOk(await objects.has(sha256))
})

t.test('a damaged object counts as absent, is removed, and can be put again', async (t) => {
  const { objects, file } = objectsIn(t)
  for (const damage of ['an Object', '', 'an object ']) {
    await objects.put(bytes)
    fs.writeFileSync(file, damage)
    t.equal(await objects.get(sha256), undefined)
    t.notOk(fs.existsSync(file))
  }
  fs.writeFileSync(file, 'an Object')
  await objects.put(bytes)
  t.same(await objects.get(sha256), bytes, 'putting it repairs it too')
  fs.truncateSync(file, limits.objectMaxBytes + 1)
  t.equal(await objects.get(sha256), undefined)
})

t.test('nothing but digests becomes a path', async (t) => {
  const { objects, dir } = objectsIn(t)
  await objects.put(bytes)
  const outside = path.join(path.dirname(dir), 'secret')
  fs.writeFileSync(outside, 'x')
  for (const name of ['../secret', '', '.', `${sha256}/..`, sha256.toUpperCase(), `${sha256}\n`]) {
    t.equal(await objects.get(name), undefined, JSON.stringify(name))
    t.notOk(await objects.has(name))
    await objects.remove(name)
  }
  t.ok(fs.existsSync(outside))
  t.same(await objects.list(), [sha256])
})

t.test('other files in the folder are not objects', async (t) => {
  const { objects, dir } = objectsIn(t)
  await objects.put(bytes)
  fs.writeFileSync(path.join(dir, 'README'), 'x')
  t.same(await objects.list(), [sha256])
})

t.test('an object over the limit is refused and not written', async (t) => {
  const { objects } = objectsIn(t)
  const large = objects.put(new Uint8Array(limits.objectMaxBytes + 1))
  await t.rejects(large, { code: 'too-large' })
  t.same(await objects.list(), [])
})

t.test('a disk that fails is not taken for an absent object', async (t) => {
  const { objects, dir } = objectsIn(t)
  await objects.put(bytes)
  const disk = { ...systemDisk, read: async () => Promise.reject(new Failure('disk', 'input/output error')) }
  await t.rejects(openObjects({ disk, dir }).get(sha256), { code: 'disk' })
  t.ok(await objects.has(sha256), 'it is still there')
})
