// `revoked.json` on a disk that rots, loses power, or takes nothing: the start goes on, and what was turned
// away stays so.

import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { openRevocations, type Revocations } from '../../src/trust/admission/revocations.ts'
import { acme, home } from './acme.ts'
import { join, tokenOf } from './joining.ts'
import { type MemoryDisk, memoryDisk } from './memory-disk.ts'

const [file, copy] = ['/n/revoked.json', '/n/revoked.copy.json']

const root = await acme()
for (const name of ['n1', 'n2', 'n3', 'n4']) {
  await join(root.fleet, { token: await tokenOf(root), name })
  await root.fleet.revoke(name)
}
const ca = Buffer.from(await root.disk.read(`${home}/fleet/ca.crt.pem`)).toString()

const open = (disk: MemoryDisk): Promise<Revocations> => openRevocations({ file, ca, disk })

async function nodeDisk(): Promise<MemoryDisk> {
  const disk = memoryDisk()
  await disk.makeFolder('/n')
  await (await open(disk)).add(root.fleet.revocations.all())
  return disk
}

function damage(disk: MemoryDisk, path: string, change: (content: Buffer) => Uint8Array): void {
  const entry = disk.entries.get(path)
  if (entry?.kind !== 'file') throw new Error(`${path} is no file`)
  disk.entries.set(path, { ...entry, content: Buffer.from(change(Buffer.from(entry.content))) })
}

/** The byte in the middle of the first statement's key. */
const flipped = (content: Buffer): Uint8Array => {
  const at = content.indexOf('"keyId":"') + 20
  content[at] = content[at] === 0x61 ? 0x62 : 0x61
  return content
}
const damages: Record<string, (content: Buffer) => Uint8Array> = {
  'cut short': (content) => content.subarray(0, content.length / 2),
  empty: () => new Uint8Array(),
  'full of zeros': (content) => content.fill(0),
  'of one wrong byte that still reads': flipped,
  'of one wrong byte that does not': (content) => {
    content[40] = 0xff
    return content
  },
  'another list': () => Buffer.from('[{"node":"n1"},7,"x"]'),
  'another thing': () => Buffer.from('{}'),
}

t.test('a damaged file is known from its copy, told, and kept aside', async (t) => {
  for (const [what, change] of Object.entries(damages)) {
    for (const path of [file, copy]) {
      const disk = await nodeDisk()
      damage(disk, path, change)
      const bad = Buffer.from(await disk.read(path))
      const node = await open(disk)
      t.equal(node.digest(), root.fleet.revocations.digest(), `${path} ${what}`)
      t.match(node.damage, /keys that were turned away.*damaged/, `${path} ${what}`)
      if (!bad.includes(0xff)) t.same(Buffer.from(await disk.read(`${path}.damaged`)), bad)
      t.equal((await open(disk)).damage, null, 'and it is whole again')
    }
  }
})

t.test('what is left of two damaged files counts, and the others bring the rest', async (t) => {
  const disk = await nodeDisk()
  damage(disk, file, (content) => content.subarray(0, content.length / 2))
  damage(disk, copy, flipped)
  const node = await open(disk)
  t.ok(node.all().length >= 3, `${node.all().length} of 4`)
  t.match(node.damage, /parent and children tell the others/)
  const empty = await nodeDisk()
  for (const path of [file, copy]) damage(empty, path, () => new Uint8Array())
  const rebuilt = await open(empty)
  t.equal(rebuilt.digest(), '', 'so it differs from the parent, and asks')
  await rebuilt.add(root.fleet.revocations.all())
  t.equal((await open(empty)).digest(), root.fleet.revocations.digest())
})

t.test('a power cut between the two files is no damage', async (t) => {
  const disk = await nodeDisk()
  const before = Buffer.from(await disk.read(copy))
  await root.fleet.revocations.add([])
  damage(disk, copy, () => Buffer.from(JSON.stringify(JSON.parse(before.toString()).slice(1))))
  const node = await open(disk)
  t.equal(node.damage, null)
  t.equal(node.digest(), root.fleet.revocations.digest())
  disk.entries.delete(copy)
  t.equal((await open(disk)).damage, null, 'nor is a file of before there was a copy')
  t.same(await disk.read(copy), await disk.read(file))
})

t.test('a file that cannot be read, on a disk that takes nothing, stops no start', async (t) => {
  const disk = await nodeDisk()
  const read = disk.read
  disk.read = async (path, options) => {
    if (path === file) throw new Failure('disk', 'it does not read')
    return await read(path, options)
  }
  disk.onChange = () => {
    throw new Failure('disk', 'it is read-only')
  }
  const node = await open(disk)
  t.equal(node.digest(), root.fleet.revocations.digest())
  t.match(node.damage, /damaged/)
})

t.test('nothing on the disk is nothing to tell', async (t) => {
  const disk = memoryDisk()
  await disk.makeFolder('/n')
  const node = await open(disk)
  t.equal(node.damage, null)
  t.notOk(disk.entries.has(file))
})
