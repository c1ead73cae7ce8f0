// Packages of kind `deb`: checked to the last byte, without dpkg where the compression allows it.

import { type FileHandle, open } from 'node:fs/promises'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Exec } from '../world/world.ts'
import { type ArMember, arMagic, arMembersOf, contentOfMember } from './ar.ts'
import { descriptionOfControl } from './deb-control.ts'
import { checkDpkgAgrees, contentBytesOf, controlTextByDpkg, type OpenDeb } from './deb-dpkg.ts'
import { type StagedPayload, stageCopy } from './payload-file.ts'
import { checkGiven, installedSizeOf, type PackageDescription, type Taken, type Taking } from './taking.ts'
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
    const { described, control, data } = await describedDeb(deb)
    checkGiven(described, taking, 'a Debian package')
    const installedSize = installedSizeOf(described.installedSize, await contentBytesOf(deb, data), taking.path)
    await checkDpkgAgrees(deb, described)
    const warnings = warningsAbout(taking.path, [control, data])
    return { description: { ...described, installedSize }, payload, warnings }
  } finally {
    await staged.close()
  }
}

/** What the control file says, and where control file and data are. */
export async function describedDeb(
  deb: OpenDeb,
): Promise<{ described: PackageDescription; control: ArMember; data: ArMember }> {
  const { control, data } = await partsOf(deb.file, deb.path)
  return { described: descriptionOfControl(await controlTextOf(deb, control), deb.path), control, data }
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
  // deb(5): a member whose name starts with an underscore, such as a signature, can be skipped; any
  // other one before the data makes dpkg refuse the package.
  const [, control, data] = members.filter(({ name }) => !name.startsWith('_'))
  if (control === undefined || !/^control\.tar(\.|$)/.test(control.name))
    throw new Failure('bad-input', `${path}: not a Debian package: it has no control.tar`)
  if (data === undefined || !/^data\.tar(\.|$)/.test(data.name))
    throw new Failure('bad-input', `${path}: not a Debian package: it has no data.tar`)
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
  return textOf(content)
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
  return await controlTextByDpkg(deb, control.name)
}

function warningsAbout(path: string, members: readonly ArMember[]): string[] {
  const [zstd] = members.filter(({ name }) => name.endsWith('.zst'))
  // dpkg 1.21.18, and what Ubuntu has since 18.04.
  return zstd === undefined ? [] : [`${path}: Debian 11 and older cannot unpack its ${zstd.name}`]
}

/** Descriptions of old packages may be Latin-1. What nodes go by is plain ASCII. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return new TextDecoder('latin1').decode(bytes)
  }
}

/** Whether the first bytes of a file are those of a Debian package, whole or damaged. */
export function looksLikeDeb(start: Uint8Array): boolean {
  return Buffer.from(start).toString('latin1').startsWith(arMagic)
}
