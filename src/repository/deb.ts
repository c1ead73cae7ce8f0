// Packages of kind `deb`: checked to the last byte, without dpkg where the compression allows it.

import { type FileHandle, open } from 'node:fs/promises'
import { PassThrough, type Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Exec, RunResult } from '../world/world.ts'
import { type ArMember, arMagic, arMembersOf, contentOfMember } from './ar.ts'
import { descriptionOfControl } from './deb-control.ts'
import { type StagedPayload, stageCopy } from './payload-file.ts'
import { checkGiven, type Taken, type Taking } from './taking.ts'
import { fileInTar } from './tar.ts'

type Programs = Pick<Exec, 'run' | 'which'>

/**
 * Copies the package and checks the copy, so that nobody can change the file between check and use.
 */
export async function takeDeb(exec: Programs, taking: Taking): Promise<Taken> {
  const source = await open(taking.path, 'r')
  let payload: StagedPayload
  try {
    // Refuses most damaged files before anything is copied.
    await partsOf(source, taking.path)
    payload = await stageCopy(source, taking)
  } finally {
    await source.close()
  }
  const staged = await open(payload.file, 'r')
  try {
    const deb = { exec, file: staged, staged: payload.file, path: taking.path, signal: taking.signal }
    const { control, data } = await partsOf(staged, taking.path)
    const description = descriptionOfControl(await controlTextOf(deb, control), taking.path, payload.size)
    checkGiven(description, taking, 'a Debian package')
    await checkData(deb, data)
    return { description, payload }
  } finally {
    await staged.close()
  }
}

interface OpenDeb {
  exec: Programs
  file: FileHandle
  /** The path of our copy. */
  staged: string
  /** The path that messages show. */
  path: string
  signal: AbortSignal
}

async function partsOf(file: FileHandle, path: string): Promise<{ control: ArMember; data: ArMember }> {
  const members = await arMembersOf(file, path)
  const [first] = members
  if (first?.name !== 'debian-binary' || first.size > 16) {
    throw new Failure('bad-input', `${path}: not a Debian package: debian-binary is not its first member`)
  }
  const format = new TextDecoder('latin1').decode(await contentOfMember(file, first))
  if (!/^2\.\d+\n/.test(format)) {
    throw new Failure('unsupported', `${path}: Debian package format ${JSON.stringify(format.trim())}, expected 2.0`)
  }
  const control = members.find((member) => /^control\.tar(\.|$)/.test(member.name))
  const data = members.find((member) => /^data\.tar(\.|$)/.test(member.name))
  if (control === undefined) throw new Failure('bad-input', `${path}: not a Debian package: it has no control.tar`)
  if (data === undefined) throw new Failure('bad-input', `${path}: not a Debian package: it has no data.tar`)
  if (control.size > limits.debControlMaxBytes) {
    throw new Failure('too-large', `${path}: its ${control.name} is over ${limits.debControlMaxBytes} bytes`)
  }
  return { control, data }
}

async function controlTextOf(deb: OpenDeb, control: ArMember): Promise<string> {
  const archive = await controlArchiveOf(deb, control)
  if (typeof archive === 'string') return archive
  const content = fileInTar(archive, ['./control', 'control'])
  if (content === undefined) throw new Failure('bad-input', `${deb.path}: its ${control.name} has no control file`)
  return utf8Of(content, deb.path)
}

/**
 * The control archive. If only dpkg-deb can decompress the archive: the text of its control file
 * instead.
 */
async function controlArchiveOf(deb: OpenDeb, control: ArMember): Promise<Uint8Array | string> {
  const packed = await contentOfMember(deb.file, control)
  const options = { maxOutputLength: limits.debControlMaxBytes }
  try {
    if (control.name === 'control.tar') return packed
    if (control.name === 'control.tar.gz') return gunzipSync(packed, options)
    if (control.name === 'control.tar.zst') return zstdDecompressSync(packed, options)
  } catch (error) {
    throw new Failure('bad-input', `${deb.path}: its ${control.name} is damaged: ${messageOf(error)}`, { cause: error })
  }
  const result = await runDpkgDeb(deb, control.name, '--field')
  if (result.code === 0) return result.stdout
  throw new Failure('bad-input', `${deb.path}: its ${control.name} is damaged: ${lastLineOf(result.stderr)}`)
}

const decompressors: Record<string, () => Transform> = {
  'data.tar': () => new PassThrough(),
  'data.tar.gz': createGunzip,
  'data.tar.zst': createZstdDecompress,
}

/**
 * Throws unless every byte of the data archive decompresses: dpkg would find the damage in the
 * middle of an install.
 */
async function checkData(deb: OpenDeb, data: ArMember): Promise<void> {
  const decompress = decompressors[data.name]
  if ((await deb.exec.which('dpkg-deb')) === undefined && decompress !== undefined) {
    const nowhere = new Writable({ write: (_bytes, _encoding, done) => done() })
    const source = deb.file.createReadStream({ start: data.start, end: data.start + data.size - 1, autoClose: false })
    await pipeline(source, decompress(), nowhere, { signal: deb.signal }).catch((error) => {
      if (deb.signal.aborted) throw error
      throw new Failure('bad-input', `${deb.path}: its ${data.name} is damaged: ${messageOf(error)}`, { cause: error })
    })
    return
  }
  const result = await runDpkgDeb(deb, data.name, '--contents')
  if (result.code === 0) return
  throw new Failure('bad-input', `${deb.path}: its ${data.name} is damaged: ${lastLineOf(result.stderr)}`)
}

async function runDpkgDeb(deb: OpenDeb, member: string, action: '--field' | '--contents'): Promise<RunResult> {
  if ((await deb.exec.which('dpkg-deb')) === undefined) {
    throw new Failure('unsupported', `${deb.path}: its ${member} can only be read with dpkg-deb, which is not here`, {
      hint: 'install the package dpkg on the root, or build with dpkg-deb -Zgzip or -Zzstd',
    })
  }
  const result = await deb.exec.run({
    program: 'dpkg-deb',
    args: [action, deb.staged],
    timeoutMs: limits.payloadCheckTimeoutMs,
    outputMaxBytes: action === '--field' ? limits.debControlMaxBytes : limits.outputKeptBytes,
    signal: deb.signal,
  })
  if (result.timedOut) throw new Failure('timed-out', `${deb.path}: dpkg-deb ${action} took too long`)
  return result
}

function utf8Of(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new Failure('bad-input', `${path}: its control file is not UTF-8 text`, { cause: error })
  }
}

function lastLineOf(output: string): string {
  return output.trim().split('\n').at(-1) ?? ''
}

/** Whether the first bytes of a file are those of a Debian package, whole or damaged. */
export function looksLikeDeb(start: Uint8Array): boolean {
  return Buffer.from(start).toString('latin1').startsWith(arMagic)
}
