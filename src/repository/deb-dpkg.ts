// What dpkg itself says about a package, where the root has dpkg: its reading counts on the nodes,
// so a package is refused at publish if ours is another one.

import type { FileHandle } from 'node:fs/promises'
import { PassThrough, type Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Exec, RunResult } from '../world/world.ts'
import type { ArMember } from './ar.ts'
import { createDataScan } from './deb-data.ts'
import { checkSameReading, type PackageDescription } from './taking.ts'

/** A package that has been copied into the staging file. */
export interface OpenDeb {
  exec: Pick<Exec, 'run' | 'which'>
  file: FileHandle
  /** The path of our copy. */
  staged: string
  /** The path that messages show. */
  path: string
  signal: AbortSignal
}

/** Throws unless dpkg reads the same name, version and architecture. Without dpkg: nothing. */
export async function checkDpkgAgrees(deb: OpenDeb, described: PackageDescription): Promise<void> {
  if ((await deb.exec.which('dpkg-deb')) === undefined) return
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-deb fills these in.
  const format = '${Package}\\n${Version}\\n${Architecture}\\n'
  const result = await runDpkgDeb(deb, ['--show', `--showformat=${format}`])
  if (result.code !== 0) throw new Failure('bad-input', `${deb.path}: dpkg refuses it: ${complaintIn(result.stderr)}`)
  const [name = '', version = '', arch = ''] = result.stdout.split('\n')
  checkSameReading('dpkg', { name, version, arch }, described, deb.path)
}

/** The text of the control file, in an archive that only dpkg-deb can decompress. */
export async function controlTextByDpkg(deb: OpenDeb, member: string): Promise<string> {
  await checkHasDpkg(deb, member)
  const result = await runDpkgDeb(deb, ['--field'])
  if (result.code === 0) return result.stdout
  throw new Failure('bad-input', `${deb.path}: its ${member} is damaged: ${lastLineOf(result.stderr)}`)
}

const decompressors: Record<string, () => Transform> = {
  'data.tar': () => new PassThrough(),
  'data.tar.gz': createGunzip,
  'data.tar.zst': createZstdDecompress,
}

/**
 * The bytes of all files of the package together. Throws unless every byte of the data archive
 * decompresses: dpkg would find the damage in the middle of an install.
 */
export async function contentBytesOf(deb: OpenDeb, data: ArMember): Promise<number> {
  const decompress = decompressors[data.name]
  if ((await deb.exec.which('dpkg-deb')) === undefined && decompress !== undefined) {
    return await decompressedBytesOf(deb, data, decompress())
  }
  // dpkg-deb leaves the headers to tar, which takes more than dpkg does. Of other compressions than
  // these, nobody here can tell.
  if (decompress !== undefined) await decompressedBytesOf(deb, data, decompress())
  await checkHasDpkg(deb, data.name)
  let bytes = 0
  const result = await runDpkgDeb(deb, ['--contents'], (line) => {
    // `-rw-r--r-- root/root  6 2026-01-01 00:00 ./usr/share/signpost/way`. Hard links start with h.
    bytes += Number(/^-\S+ +\S+ +(\d+) /.exec(line)?.[1] ?? 0)
  })
  if (result.code === 0) return bytes
  throw new Failure('bad-input', `${deb.path}: its ${data.name} is damaged: ${lastLineOf(result.stderr)}`)
}

/** Of the whole archive, which is a little more than what is in it. */
async function decompressedBytesOf(deb: OpenDeb, data: ArMember, decompress: Transform): Promise<number> {
  let bytes = 0
  const scan = createDataScan()
  const counted = new Writable({
    write: (part: Uint8Array, _encoding, done) => {
      bytes += part.byteLength
      scan.take(part)
      done()
    },
  })
  const source = deb.file.createReadStream({ start: data.start, end: data.start + data.size - 1, autoClose: false })
  await pipeline(source, decompress, counted, { signal: deb.signal }).catch((error) => {
    if (deb.signal.aborted) throw error
    throw new Failure('bad-input', `${deb.path}: its ${data.name} is damaged: ${messageOf(error)}`, { cause: error })
  })
  const problem = scan.problem()
  if (problem === undefined) return bytes
  throw new Failure('bad-input', `${deb.path}: ${problem}`, {
    hint: 'build it with dpkg-deb, or with tar in GNU format',
  })
}

async function checkHasDpkg(deb: OpenDeb, member: string): Promise<void> {
  if ((await deb.exec.which('dpkg-deb')) !== undefined) return
  throw new Failure('unsupported', `${deb.path}: its ${member} can only be read with dpkg-deb, which is not here`, {
    hint: 'install the package dpkg on the root, or build with dpkg-deb -Zgzip or -Zzstd',
  })
}

async function runDpkgDeb(
  { exec, staged, path, signal }: OpenDeb,
  [action, ...options]: readonly [action: '--field' | '--contents' | '--show', ...options: string[]],
  onLine?: (line: string) => void,
): Promise<RunResult> {
  const result = await exec.run({
    program: 'sh',
    args: [
      '-c',
      `ulimit -v ${limits.dpkgMemoryMaxBytes / 1024}; exec "$@"`,
      'sh',
      'dpkg-deb',
      action,
      ...options,
      staged,
    ],
    timeoutMs: limits.payloadCheckTimeoutMs,
    outputMaxBytes: action === '--field' ? limits.debControlMaxBytes : limits.outputKeptBytes,
    env: { LC_ALL: 'C.UTF-8' },
    signal,
    ...(onLine !== undefined && { onLine: (stream, line) => stream === 'stdout' && onLine(line) }),
  })
  if (result.timedOut) throw new Failure('timed-out', `${path}: dpkg-deb ${action} took too long`)
  return result
}

/** `dpkg-deb: error: parsing file '/tmp/dpkg-deb.x/control' near line 2 package 'a':\n 'Version' …` */
function complaintIn(stderr: string): string {
  const lines = stderr.trim().split('\n')
  const start = lines.findIndex((line) => line.startsWith('dpkg-deb: error'))
  const text = lines.slice(Math.max(0, start)).join(' ')
  return text
    .replace(/^dpkg-deb: error: (?:parsing file '[^']*' )?/, '')
    .replace(/\s+/g, ' ')
    .slice(0, limits.textMaxChars)
}

function lastLineOf(output: string): string {
  return output.trim().split('\n').at(-1) ?? ''
}
