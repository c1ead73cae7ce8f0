// Our tar, read by others.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { list, Parser } from 'tar'
import { fileInTar, type TarEntry, tarEnd, tarHeaderOf, tarPaddingAfter } from '../../src/repository/tar.ts'
import { needs } from './workbench.ts'

function archiveOf(entries: readonly { entry: TarEntry; content?: string }[]): Buffer {
  const parts = entries.flatMap(({ entry, content = '' }) => {
    return [tarHeaderOf(entry), Buffer.from(content), tarPaddingAfter(Buffer.byteLength(content))]
  })
  return Buffer.concat([...parts, tarEnd()])
}

const file = (path: string, content: string, executable = false) => ({
  entry: { kind: 'file', path, size: Buffer.byteLength(content), executable } as const,
  content,
})
const long = `${'folder/'.repeat(30)}file`
const sample = [
  { entry: { kind: 'folder', path: 'bin' } as const },
  file('bin/greet', '#!/bin/sh\n', true),
  file('empty', ''),
  file(long, 'deep'),
  file('grüße/👋', 'hello'),
  file(`${'x'.repeat(99)}`, 'as long as fits'),
  file(`${'y'.repeat(100)}`, 'just fits'),
  file(`${'z'.repeat(101)}`, 'one too long'),
  { entry: { kind: 'link', path: 'current', target: 'bin/greet' } as const },
  { entry: { kind: 'link', path: 'far', target: `../${'ü/'.repeat(60)}x` } as const },
]

t.test('npm tar, which unpacks it on nodes, reads what was written', async (t) => {
  const archive = path.join(t.testdir({}), 'a.tar')
  fs.writeFileSync(archive, archiveOf(sample))
  const found: object[] = []
  await list({
    file: archive,
    strict: true,
    onReadEntry: (entry) =>
      found.push([
        entry.path,
        entry.type,
        entry.size,
        entry.mode,
        entry.linkpath || undefined,
        entry.uid,
        entry.gid,
        entry.mtime?.getTime(),
      ]),
  })
  t.same(
    found,
    sample.map(({ entry }) => {
      const type = { folder: 'Directory', file: 'File', link: 'SymbolicLink' }[entry.kind]
      const mode = entry.kind === 'link' ? 0o777 : entry.kind === 'file' && !entry.executable ? 0o644 : 0o755
      const target = entry.kind === 'link' ? entry.target : undefined
      return [
        entry.kind === 'folder' ? `${entry.path}/` : entry.path,
        type,
        entry.kind === 'file' ? entry.size : 0,
        mode,
        target,
        0,
        0,
        0,
      ]
    }),
  )
})

t.test('GNU tar reads it too', needs('tar'), async (t) => {
  const { status, stdout, stderr } = spawnSync('tar', ['-tf', '-'], {
    input: archiveOf(sample),
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  })
  t.equal(status, 0, stderr.toString())
  t.equal(stderr.toString(), '')
  const names = sample.map(({ entry }) => (entry.kind === 'folder' ? `${entry.path}/` : entry.path))
  t.same(
    stdout
      .toString('utf8')
      .trim()
      .split('\n')
      .map((name) => name.replaceAll(/(\\\d{3})+/g, octalText)),
    names,
  )
})

/** GNU tar quotes what it takes for unprintable. */
function octalText(quoted: string): string {
  return Buffer.from(
    quoted
      .split('\\')
      .slice(1)
      .map((digits) => Number.parseInt(digits, 8)),
  ).toString('utf8')
}

t.test('a file of more than 8 GiB has its size in a pax record', async (t) => {
  const header = Buffer.from(tarHeaderOf({ kind: 'file', path: 'large', size: 8 ** 11, executable: false }))
  t.match(header.toString('latin1'), /19 size=8589934592\n/)
  t.equal(tarHeaderOf({ kind: 'file', path: 'large', size: 8 ** 11 - 1, executable: false }).length, 512)
})

t.test('every path and target comes back as it was', async () => {
  const letter = fc.oneof(
    fc.constantFrom('a', ' ', '.', 'ü', '\u{1f44b}'),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  )
  const name = fc
    .array(letter, { minLength: 1, maxLength: 60 })
    .map((letters) => `n${letters.join('').replace(/[\p{Cc}/\\]/gu, '_')}`)
  const entryPath = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join('/'))
  fc.assert(
    fc.property(entryPath, entryPath, fc.string({ maxLength: 1500 }), (path, target, content) => {
      const archive = archiveOf([
        file(path, content),
        { entry: { kind: 'link', path: 'link', target } },
        file('last', 'x'),
      ])
      const found: [string, string | undefined][] = []
      const parser = new Parser({
        strict: true,
        onReadEntry: (entry) => {
          found.push([entry.path, entry.linkpath])
          entry.resume()
        },
      })
      parser.end(archive)
      const expected = [
        [path, undefined],
        ['link', target],
        ['last', undefined],
      ]
      return JSON.stringify(found) === JSON.stringify(expected)
    }),
  )
})

t.test('a file is found in an archive that others made', async (t) => {
  const archive = archiveOf([file('./md5sums', 'abc'), file('./control', 'Package: a\n')])
  t.same(fileInTar(archive, ['./control', 'control']), Buffer.from('Package: a\n'))
  t.equal(fileInTar(archive, ['./other']), undefined)
  t.equal(fileInTar(tarEnd(), ['./control']), undefined)
})

t.test('a damaged archive is refused', async (t) => {
  const archive = archiveOf([file('./md5sums', 'abc'), file('./control', 'Package: a\n')])
  const flipped = Buffer.from(archive)
  flipped.writeUInt8(flipped.readUInt8(1024) ^ 1, 1024)
  t.throws(() => fileInTar(flipped, ['./control']), { code: 'bad-input', message: /wrong checksum/ })
  t.throws(() => fileInTar(archive.subarray(0, 1024 + 512 + 3), ['./control']), {
    code: 'bad-input',
    message: /too early/,
  })
})
