// What builders of packages hand to `publish`, and trees to the nodes that unpack them.

import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { parseManifest } from '../../../src/model/manifest.ts'
import { isMet, namesIn } from '../../../src/model/needs.ts'
import { createTarCheck, staysInside, type TarEntry } from '../../../src/model/packages/tree-check.ts'
import { arMembersOf } from '../../../src/repository/ar.ts'
import { describedDeb } from '../../../src/repository/deb.ts'
import { descriptionOfControl } from '../../../src/repository/deb-control.ts'
import { createDataScan } from '../../../src/repository/deb-data.ts'
import { descriptionOfRpm } from '../../../src/repository/rpm.ts'
import { checkRpmDigests, rpmPartsOf } from '../../../src/repository/rpm-header.ts'
import type { PackageDescription } from '../../../src/repository/taking.ts'
import { fileInTar, tarEnd, tarHeaderOf, tarPaddingAfter } from '../../../src/repository/tar.ts'
import { bytesOf, type FuzzTarget, fileWith, textOf } from '../target.ts'

const control = `Package: Shop
Version: 1:4.2.0~rc1-1
Architecture: amd64
Multi-Arch: same
Installed-Size: 12
Depends: libjq1 (= 1.6) | jq:any [amd64] <!nocheck>, libc6
Provides: www (= 1)
Breaks: old (<< 2)
Banyan-For: os.codename=bookworm
Description: sells
 things
`
const tar = tarOf([['./control', control]])
const deb = arOf([
  ['debian-binary', '2.0\n'],
  ['control.tar.gz', gzipSync(tar)],
  ['data.tar', tarOf([['./usr/bin/shop', 'x']])],
])

function tarOf(files: [string, string][]): Uint8Array {
  const parts = files.flatMap(([path, content]) => [
    tarHeaderOf({ kind: 'file', path, size: content.length, executable: false }),
    bytesOf(content),
    tarPaddingAfter(content.length),
  ])
  return Buffer.concat([...parts, tarEnd()])
}

function arOf(members: [string, string | Uint8Array][]): Uint8Array {
  const parts = members.flatMap(([name, content]) => {
    const bytes = bytesOf(content)
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6).repeat(2)}${'100644'.padEnd(8)}`
    return [Buffer.from(`${header}${String(bytes.length).padEnd(10)}\`\n`), bytes, Buffer.alloc(bytes.length % 2, '\n')]
  })
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts])
}

type Entry = [tag: number, type: number, value: string[] | number[] | Uint8Array]

/** A header of rpm: its entries, and the store that they point into. */
function headerOf(entries: Entry[]): Uint8Array {
  const index: Buffer[] = []
  let store = Buffer.alloc(0)
  for (const [tag, type, value] of entries) {
    const bytes =
      type === 4
        ? Buffer.concat((value as number[]).map((each) => Buffer.from(each.toString(16).padStart(8, '0'), 'hex')))
        : type === 7
          ? Buffer.from(value as Uint8Array)
          : Buffer.from((value as string[]).map((text) => `${text}\0`).join(''))
    store = Buffer.concat([store, Buffer.alloc(type === 4 ? (4 - (store.length % 4)) % 4 : 0)])
    index.push(Buffer.from([tag, type, store.length, value.length].map(hex8).join(''), 'hex'))
    store = Buffer.concat([store, bytes])
  }
  const intro = Buffer.from(`8eade80100000000${hex8(entries.length)}${hex8(store.length)}`, 'hex')
  return Buffer.concat([intro, ...index, store])
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0')
}

const signature = headerOf([
  [1004, 7, new Uint8Array(16)],
  [1007, 4, [10]],
])
const header = headerOf([
  [1000, 6, ['shop']],
  [1001, 6, ['4.2.0']],
  [1002, 6, ['1.fc40']],
  [1004, 9, ['sells things']],
  [1009, 4, [1000]],
  [1022, 6, ['x86_64']],
  [1028, 4, [400, 600]],
  [1044, 6, ['shop.src.rpm']],
  [1047, 8, ['shop', 'mta']],
  [1048, 4, [12, 1 << 24]],
  [1049, 8, ['base', 'rpmlib(X)']],
  [1050, 8, ['1.0', '1']],
])
const lead = Buffer.concat([Buffer.from('edabeedb0300000000010000', 'hex'), Buffer.alloc(84)])
const padding = Buffer.alloc((8 - (signature.length % 8)) % 8)
const rpm = Buffer.concat([lead, signature, padding, header, Buffer.from('payload')])

const never = new AbortController().signal
const programs = {
  which: async () => undefined,
  run: async () => {
    throw new TypeError('no program is there')
  },
}

/** What a description says is read again by whoever checks needs, and is signed as a manifest. */
function useOf(description: PackageDescription): void {
  const { kind } = description
  for (const clause of [...description.depends, ...(description.conflicts ?? []), ...(description.replaces ?? [])]) {
    namesIn(kind, clause)
    isMet(kind, clause, [])
  }
  const payload = { via: 'object', sha256: 'a'.repeat(64), size: 1 }
  parseManifest(JSON.parse(JSON.stringify({ schema: 1, ...description, payload })), 'manifest')
}

const controlWords = [
  ...['Package:', 'Version:', 'Architecture:', 'Depends:', 'Pre-Depends:', 'Provides:', 'Conflicts:', 'Replaces:'],
  ...[
    'Installed-Size:',
    'Multi-Arch:',
    'Banyan-For:',
    'Description:',
    '\n ',
    '\n\n',
    '(>= 1)',
    ' | ',
    ', ',
    'all',
    'any',
  ],
]
const entries: TarEntry[] = [
  { path: './bin/', type: 'Directory', mode: 0o755 },
  { path: './bin/shop', type: 'File', mode: 0o755, size: 3, uname: 'www-data' },
  { path: 'bin/s', type: 'SymbolicLink', linkpath: '../bin/shop' },
  { path: 'bin/t', type: 'Link', linkpath: 'bin/shop' },
]

export const targets: FuzzTarget[] = [
  {
    ...{
      name: 'ar',
      format: 'bytes',
      parsers: ['src/repository/ar.ts'],
      examples: [deb],
      words: ['`\n', '9999999999'],
    },
    run: async (bytes) => {
      for (const { start, size } of await arMembersOf(fileWith(bytes), 'shop.deb')) assert(start + size <= bytes.length)
    },
  },
  {
    ...{ name: 'deb', format: 'bytes', examples: [deb], words: ['control.tar', 'data.tar.zst', '_gpg', '2.0\n'] },
    parsers: ['src/repository/deb.ts', 'src/repository/ar.ts'],
    run: async (bytes) => {
      const open = { exec: programs, file: fileWith(bytes), staged: '/s', path: 'shop.deb', signal: never }
      useOf((await describedDeb(open)).described)
    },
  },
  {
    ...{ name: 'deb-control', format: 'text', words: controlWords, examples: [control] },
    parsers: ['src/repository/deb-control.ts', 'src/model/packages/deb.ts', 'src/model/packages/target-schema.ts'],
    run: (bytes) => useOf(descriptionOfControl(textOf(bytes), 'shop.deb')),
  },
  {
    ...{ name: 'tar', format: 'bytes', parsers: ['src/repository/tar.ts'], examples: [tar] },
    words: ['ustar\x0000', './control', '00000000001', '-0000001', '77777777777'],
    run: (bytes) => fileInTar(bytes, ['./control', 'control']),
  },
  {
    ...{ name: 'deb-data', format: 'bytes', parsers: ['src/repository/deb-data.ts'], examples: [tar, tarOf([])] },
    words: ['00000000001', '-0000000777', '77777777777', '\x80\x00\x00\x00'],
    run: (bytes) => {
      const [whole, cut] = [createDataScan(), createDataScan()]
      whole.take(bytes)
      for (let at = 0; at < bytes.length; at += 200) cut.take(bytes.subarray(at, at + 200))
      assert.equal(cut.problem(), whole.problem())
    },
  },
  {
    ...{ name: 'rpm', format: 'bytes', examples: [rpm], words: ['shop', '\x00\x00\x03\xe8', '\x8e\xad\xe8\x01'] },
    parsers: ['src/repository/rpm-header.ts', 'src/repository/rpm.ts'],
    run: async (bytes) => {
      const file = fileWith(bytes)
      const parts = await rpmPartsOf(file, 'shop.rpm')
      useOf(descriptionOfRpm(parts, 'shop.rpm'))
      if (bytes.length !== rpm.length) await checkRpmDigests(file, parts, 'shop.rpm', never)
    },
  },
  {
    ...{ name: 'tree-entries', format: 'json', parsers: ['src/model/packages/tree-check.ts'] },
    ...{ words: ['..', '/', './', '//', 'bin', '\0', 'Link', 'SymbolicLink', 'root'] },
    examples: [JSON.stringify(entries)],
    run: (bytes) => {
      let given: unknown
      try {
        given = JSON.parse(textOf(bytes))
      } catch {
        return
      }
      const check = createTarCheck({ entries: 100, bytes: 1000 })
      for (const entry of Array.isArray(given) ? given : []) {
        // The reader of tar gives texts and numbers only.
        if (typeof entry?.path !== 'string' || typeof entry.type !== 'string') continue
        const { path, type, linkpath, mode, size } = entry
        const accepted = check.accept({
          ...{ path, type, uname: typeof entry.uname === 'string' ? entry.uname : '' },
          ...(typeof linkpath === 'string' && { linkpath }),
          ...(Number.isInteger(mode) && { mode }),
          ...(Number.isInteger(size) && size >= 0 && { size }),
        })
        if (accepted.kind === 'refused') return
        assert(!accepted.path.startsWith('/') && !accepted.path.split('/').includes('..'), accepted.path)
        if (accepted.kind === 'link') assert(staysInside(accepted.path, accepted.target))
      }
    },
  },
]
