// What holds for every disk.

import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import type { Disk } from '../../src/world/world.ts'
import { failureCodeOf } from './contract.ts'

/** `open` gives a disk and an empty folder on it. */
export function diskContract(t: Test, open: (t: Test) => Promise<{ disk: Disk; folder: string }>): void {
  check(t, 'what was written is read, text as UTF-8', async (t, disk, at) => {
    await disk.write(at('text'), 'grüße')
    t.equal(await textOf(disk, at('text')), 'grüße')
    const bytes = Uint8Array.from({ length: 300_000 }, (_, n) => n % 251)
    await disk.write(at('bytes'), bytes)
    t.ok(Buffer.from(await disk.read(at('bytes'))).equals(bytes))
    await disk.write(at('empty'), '')
    t.equal((await disk.read(at('empty'))).length, 0)
  })

  check(t, 'writing replaces the old content and leaves nothing else behind', async (t, disk, at) => {
    await disk.write(at('a'), 'a longer first content')
    await disk.write(at('a'), 'short')
    t.equal(await textOf(disk, at('a')), 'short')
    t.same(await disk.list(at('')), ['a'])
  })

  check(t, 'several files of one folder are written at once, durable or not', async (t, disk, at) => {
    await disk.makeFolder(at('many'))
    await disk.write(at('many/b'), 'an older and longer content')
    const files = new Map(['a', 'b', 'c'].map((name) => [name, new TextEncoder().encode(`of ${name}`)]))
    for (const isDurable of [true, false]) {
      await disk.writeAll(at('many'), files, { isDurable })
      for (const name of files.keys()) t.equal(await textOf(disk, at(`many/${name}`)), `of ${name}`)
      t.same(await disk.list(at('many')), ['a', 'b', 'c'])
    }
    await disk.writeAll(at('many'), new Map())
    t.equal(await failureCodeOf(disk.writeAll(at('no-folder'), files)), 'not-found')
    await disk.makeFolder(at('many/d'))
    await disk.write(at('many/d/file'), '')
    t.equal(await failureCodeOf(disk.writeAll(at('many'), new Map([['d', new Uint8Array()]]))), 'disk')
    t.same(await disk.list(at('many')), ['a', 'b', 'c', 'd'], 'and nothing is left behind')
  })

  check(t, 'bytes given to write are the caller’s again, and those read are too', async (t, disk, at) => {
    const bytes = Uint8Array.from([1, 2, 3])
    const written = disk.write(at('a'), bytes)
    await written
    bytes[0] = 9
    const read = await disk.read(at('a'))
    t.same([...read], [1, 2, 3])
    read[0] = 9
    t.same([...(await disk.read(at('a')))], [1, 2, 3])
  })

  check(t, 'the mode is as asked, also of a file that is replaced', async (t, disk, at) => {
    await disk.write(at('key'), 'secret', { mode: 0o644 })
    await disk.write(at('key'), 'secret', { mode: 0o600 })
    t.same(await disk.stat(at('key')), { kind: 'file', size: 6, mode: 0o600 })
    await disk.makeFolder(at('keys'), { mode: 0o700 })
    t.match(await disk.stat(at('keys')), { kind: 'folder', mode: 0o700 })
  })

  check(t, 'what is larger than it may be is not read', async (t, disk, at) => {
    await disk.write(at('a'), 'four')
    t.equal(await failureCodeOf(disk.read(at('a'), { maxBytes: 3 })), 'too-large')
    t.equal((await disk.read(at('a'), { maxBytes: 4 })).length, 4)
  })

  check(t, 'what is not there is not found', async (t, disk, at) => {
    await disk.write(at('file'), '')
    for (const path of ['nothing', 'no-folder/nothing', 'file/inside']) {
      t.equal(await failureCodeOf(disk.read(at(path))), 'not-found', path)
      t.equal(await failureCodeOf(disk.list(at(path))), 'not-found', path)
      t.equal(await failureCodeOf(disk.sha256(at(path))), 'not-found', path)
      t.equal(await failureCodeOf(disk.rename(at(path), at('x'))), 'not-found', path)
      t.equal(await disk.stat(at(path)), undefined, path)
      t.equal(await disk.readLink(at(path)), undefined, path)
    }
    t.equal(await failureCodeOf(disk.write(at('no-folder/a'), '')), 'not-found')
    t.equal(await failureCodeOf(disk.rename(at('file'), at('no-folder/a'))), 'not-found')
    t.equal(await failureCodeOf(disk.pointLink(at('no-folder/a'), 'x')), 'not-found')
    t.equal(await failureCodeOf(disk.freeBytes(at('nothing'))), 'not-found')
  })

  check(t, 'folders are made with those above them, and making them again is fine', async (t, disk, at) => {
    await disk.makeFolder(at('a/b/c'))
    await disk.write(at('a/b/c/file'), 'x')
    await disk.makeFolder(at('a/b/c'))
    t.same(await disk.list(at('a/b/c')), ['file'])
    t.same(await disk.list(at('a')), ['b'])
  })

  check(t, 'names are listed sorted', async (t, disk, at) => {
    for (const name of ['b', 'B', 'a', '10', '9', '.hidden']) await disk.write(at(name), '')
    await disk.makeFolder(at('folder/inner'))
    t.same(await disk.list(at('')), ['.hidden', '10', '9', 'B', 'a', 'b', 'folder'])
  })

  check(t, 'a folder is neither read nor overwritten as a file', async (t, disk, at) => {
    await disk.makeFolder(at('folder'))
    t.equal(await failureCodeOf(disk.read(at('folder'))), 'disk')
    t.equal(await failureCodeOf(disk.write(at('folder'), '')), 'disk')
    t.equal(await failureCodeOf(disk.pointLink(at('folder'), 'x')), 'disk')
    await disk.write(at('file'), '')
    t.equal(await failureCodeOf(disk.makeFolder(at('file'))), 'disk')
    t.same(await disk.list(at('')), ['file', 'folder'])
  })

  check(t, 'a renamed file replaces the one that was there', async (t, disk, at) => {
    await disk.write(at('a'), 'new')
    await disk.write(at('b'), 'old')
    await disk.rename(at('a'), at('b'))
    t.equal(await textOf(disk, at('b')), 'new')
    t.same(await disk.list(at('')), ['b'])
  })

  check(
    t,
    'a renamed folder takes along what is in it, but replaces none that has something in it',
    async (t, disk, at) => {
      await disk.makeFolder(at('a/inner'))
      await disk.write(at('a/inner/file'), 'x')
      await disk.makeFolder(at('full'))
      await disk.write(at('full/file'), '')
      t.equal(await failureCodeOf(disk.rename(at('a'), at('full'))), 'disk')
      await disk.rename(at('a'), at('b'))
      t.equal(await textOf(disk, at('b/inner/file')), 'x')
      t.same(await disk.list(at('')), ['b', 'full'])
    },
  )

  check(t, 'files and whole folders are removed, and what is not there is fine', async (t, disk, at) => {
    await disk.makeFolder(at('a/b'))
    await disk.write(at('a/b/file'), 'x')
    await disk.write(at('ab'), 'x')
    await disk.pointLink(at('link'), 'ab')
    await disk.remove(at('a'))
    await disk.remove(at('a'))
    await disk.remove(at('no/such/place'))
    await disk.remove(at('link'))
    t.same(await disk.list(at('')), ['ab'])
  })

  check(t, 'one file, link or empty folder is removed, and no folder with content', async (t, disk, at) => {
    await disk.makeFolder(at('a/b'))
    await disk.write(at('file'), 'x')
    await disk.write(at('a/file'), 'x')
    await disk.pointLink(at('link'), 'a')
    await disk.removeOne(at('link'))
    await disk.removeOne(at('file'))
    await disk.removeOne(at('file'))
    await disk.removeOne(at('no/such/place'))
    await disk.removeOne(at('a/b'))
    t.equal(await failureCodeOf(disk.removeOne(at('a'))), 'disk')
    t.same(await disk.list(at('')), ['a'])
    t.same(await disk.list(at('a')), ['file'])
  })

  check(t, 'a link is pointed elsewhere in one step, and paths lead through it', async (t, disk, at) => {
    await disk.makeFolder(at('1'))
    await disk.makeFolder(at('2'))
    await disk.write(at('1/file'), 'one')
    await disk.write(at('2/file'), 'two')
    await disk.pointLink(at('current'), '1')
    t.equal(await textOf(disk, at('current/file')), 'one')
    await disk.pointLink(at('current'), '2')
    t.equal(await textOf(disk, at('current/file')), 'two')
    t.equal(await disk.readLink(at('current')), '2')
    t.match(await disk.stat(at('current')), { kind: 'link' })
    t.match(await disk.stat(at('current/file')), { kind: 'file' })
    t.same(await disk.list(at('current')), ['file'])
    t.equal(await disk.readLink(at('1')), undefined)
    await disk.write(at('current/file'), 'changed')
    t.equal(await textOf(disk, at('2/file')), 'changed')
    await disk.remove(at('2'))
    t.equal(await failureCodeOf(disk.read(at('current/file'))), 'not-found')
    t.match(await disk.stat(at('current')), { kind: 'link' })
  })

  check(t, 'writing to a link replaces the link, not what it points to', async (t, disk, at) => {
    await disk.write(at('target'), 'kept')
    await disk.pointLink(at('link'), 'target')
    await disk.write(at('link'), 'new')
    t.equal(await textOf(disk, at('target')), 'kept')
    t.match(await disk.stat(at('link')), { kind: 'file', size: 3 })
  })

  check(t, 'the SHA-256 is that of the content', async (t, disk, at) => {
    const content = Buffer.alloc(1_000_001, 'banyan')
    await disk.write(at('a'), content)
    t.equal(await disk.sha256(at('a')), createHash('sha256').update(content).digest('hex'))
  })

  check(t, 'free space is told in bytes', async (t, disk, at) => {
    t.ok((await disk.freeBytes(at(''))) > 1_000_000)
    t.ok((await disk.freeFiles(at(''))) > 1000)
  })

  check(t, 'many writes to one file at once leave one of them, whole', async (t, disk, at) => {
    const contents = Array.from({ length: 20 }, (_, n) => String(n).repeat(10_000))
    await Promise.all(contents.map((content) => disk.write(at('a'), content)))
    t.ok(contents.includes(await textOf(disk, at('a'))))
    t.same(await disk.list(at('')), ['a'])
  })

  function check(
    t: Test,
    promise: string,
    body: (t: Test, disk: Disk, at: (name: string) => string) => Promise<void>,
  ): void {
    t.test(promise, async (t) => {
      const { disk, folder } = await open(t)
      await body(t, disk, (name) => (name === '' ? folder : `${folder}/${name}`))
    })
  }
}

async function textOf(disk: Disk, path: string): Promise<string> {
  return Buffer.from(await disk.read(path)).toString()
}
