// The part of the tar format (POSIX.1-2017 pax) that trees need. The package `tar` is not used for
// writing, because the bytes of a published version must stay the same on every machine and with
// every later version of every dependency.

import { Failure } from '../model/failure.ts'

const tarBlockBytes = 512

/** Names of accounts on the nodes, and a mode other than the usual one. */
export interface TarAttributes {
  mode?: number
  owner?: string
  group?: string
}

export type TarEntry =
  | ({ kind: 'folder'; path: string } & TarAttributes)
  | ({ kind: 'file'; path: string; size: number; executable: boolean } & TarAttributes)
  | { kind: 'link'; path: string; target: string }

/**
 * The bytes before an entry's content: its header block, preceded by a pax header if the entry
 * needs one.
 */
export function tarHeaderOf(entry: TarEntry): Uint8Array {
  const { type, path, linkpath: target, mode, size, uname, gname } = tarFieldsOf(entry)
  const extended = [
    ...(fitsField(path) ? [] : [paxRecordOf('path', path)]),
    ...(fitsField(target) ? [] : [paxRecordOf('linkpath', target)]),
    ...(size <= octalMax(11) ? [] : [paxRecordOf('size', String(size))]),
  ]
  const header = headerBlock({ path, target, size, mode, type: typeLetters[type], uname, gname })
  if (extended.length === 0) return header
  const records = Buffer.concat(extended)
  return Buffer.concat([
    headerBlock({ path: 'PaxHeader', target: '', size: records.length, mode: 0o644, type: 'x' }),
    records,
    tarPaddingAfter(records.length),
    header,
  ])
}

/** The fields of an entry's header, with the type by the name that readers of tar give it. */
export function tarFieldsOf(entry: TarEntry) {
  return {
    type: typeNames[entry.kind],
    path: entry.kind === 'folder' ? `${entry.path}/` : entry.path,
    linkpath: entry.kind === 'link' ? entry.target : '',
    mode: entry.kind === 'link' ? 0o777 : (entry.mode ?? (entry.kind === 'file' && !entry.executable ? 0o644 : 0o755)),
    uname: entry.kind === 'link' ? '' : (entry.owner ?? ''),
    gname: entry.kind === 'link' ? '' : (entry.group ?? ''),
    size: entry.kind === 'file' ? entry.size : 0,
  }
}

const typeNames = { folder: 'Directory', file: 'File', link: 'SymbolicLink' } as const
const typeLetters = { Directory: '5', File: '0', SymbolicLink: '2' } as const

/** The zeros from the end of a content of `size` bytes to the next block. */
export function tarPaddingAfter(size: number): Uint8Array {
  return new Uint8Array((tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes)
}

/** The end of an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * tarBlockBytes)
}

/**
 * The content of the last plain file with one of these exact paths, in a small archive that
 * somebody else made: whoever unpacks the archive ends with the last one. Undefined if there is no
 * such file. Throws `bad-input` if the archive is damaged.
 */
export function fileInTar(archive: Uint8Array, paths: readonly string[]): Uint8Array | undefined {
  let found: Uint8Array | undefined
  for (let at = 0; at + tarBlockBytes <= archive.length; ) {
    const header = archive.subarray(at, at + tarBlockBytes)
    if (header.every((byte) => byte === 0)) return found
    if (checksumOf(header) !== parseInt(textAt(header, 148, 8), 8)) throw damaged('a header has a wrong checksum')
    const size = parseInt(textAt(header, 124, 12), 8)
    const content = archive.subarray(at + tarBlockBytes, at + tarBlockBytes + size)
    if (!(size >= 0) || content.length !== size) throw damaged('it ends too early')
    const type = textAt(header, 156, 1)
    if ((type === '0' || type === '') && paths.includes(textAt(header, 0, 100))) found = content
    at += tarBlockBytes + size + tarPaddingAfter(size).length
  }
  return found
}

const asciiOnly = /^[\x20-\x7e]*$/

/** A field of ustar holds 100 bytes of ASCII; longer texts and other letters need a pax record. */
function fitsField(text: string): boolean {
  return text.length <= 100 && asciiOnly.test(text)
}

function headerBlock(fields: {
  path: string
  target: string
  size: number
  mode: number
  type: string
  uname?: string
  gname?: string
}): Buffer {
  const block = Buffer.alloc(tarBlockBytes)
  // Where a pax record holds the path, only readers without pax see this field, and it may be cut
  // anywhere.
  block.write(fields.path, 0, 100, 'utf8')
  block.write(octal(fields.mode, 7), 100, 'latin1')
  block.write(octal(0, 7), 108, 'latin1')
  block.write(octal(0, 7), 116, 'latin1')
  block.write(octal(Math.min(fields.size, octalMax(11)), 11), 124, 'latin1')
  block.write(octal(0, 11), 136, 'latin1')
  block.write(fields.type, 156, 'latin1')
  block.write(fields.target, 157, 100, 'utf8')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(fields.uname ?? '', 265, 31, 'latin1')
  block.write(fields.gname ?? '', 297, 31, 'latin1')
  block.write(`${octal(checksumOf(block), 6)}\0 `, 148, 'latin1')
  return block
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecordOf(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  let length = rest.length + 1
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length
  return Buffer.concat([Buffer.from(`${length}`), rest])
}

/** The sum of all bytes, with the bytes of the checksum field counted as spaces. */
function checksumOf(header: Uint8Array): number {
  return header.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 32 : byte), 0)
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function octalMax(digits: number): number {
  return 8 ** digits - 1
}

function textAt(header: Uint8Array, start: number, length: number): string {
  const field = Buffer.from(header.subarray(start, start + length)).toString('utf8')
  return field.split('\0', 1)[0]?.trim() ?? ''
}

function damaged(what: string): Failure {
  return new Failure('bad-input', `a damaged tar archive: ${what}`)
}
