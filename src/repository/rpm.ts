// Packages of kind `rpm`: checked to the last byte, without rpm, on any machine. Where the root has
// rpm, rpm has to read the same.

import { open } from 'node:fs/promises'
import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { packageVersionSchema, publishedNameSchema } from '../model/names.ts'
import { whyNot } from '../model/parse.ts'
import { archOfRpm, rpmVersionOf } from '../model/rpm.ts'
import type { Exec } from '../world/world.ts'
import { type StagedPayload, stageCopy } from './payload-file.ts'
import { checkRpmDigests, type RpmHeader, type RpmParts, rpmMagic, rpmPartsOf } from './rpm-header.ts'
import {
  checkGiven,
  checkSameReading,
  installedSizeOf,
  type PackageDescription,
  type Taken,
  type Taking,
} from './taking.ts'

/**
 * Copies the package and checks the copy, so that nobody can change the file between check and use.
 */
export async function takeRpm(exec: Pick<Exec, 'run' | 'which'>, taking: Taking): Promise<Taken> {
  const source = await open(taking.path, 'r')
  let payload: StagedPayload
  try {
    // Refuses most damaged files before anything is copied.
    await rpmPartsOf(source, taking.path)
    payload = await stageCopy(source, taking)
  } finally {
    await source.close()
  }
  const staged = await open(payload.file, 'r')
  try {
    const parts = await rpmPartsOf(staged, taking.path)
    const description = descriptionOfRpm(parts, taking.path)
    checkGiven(description, taking, 'an rpm package')
    await checkRpmDigests(staged, parts, taking.path, taking.signal)
    await checkRpmAgrees(exec, payload.file, description, taking)
    return { description, payload, warnings: warningsAbout(parts, taking.path) }
  } finally {
    await staged.close()
  }
}

/** Whether the first bytes of a file are those of an rpm package, whole or damaged. */
export function looksLikeRpm(start: Uint8Array): boolean {
  return Buffer.from(start).subarray(0, rpmMagic.length).equals(rpmMagic)
}

const tags = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  summary: 1004,
  size: 1009,
  arch: 1022,
  fileSizes: 1028,
  sourceRpm: 1044,
  provides: 1047,
  requireFlags: 1048,
  requires: 1049,
  requireVersions: 1050,
  conflictFlags: 1053,
  conflicts: 1054,
  conflictVersions: 1055,
  obsoletes: 1090,
  obsoleteFlags: 1114,
  obsoleteVersions: 1115,
  sourcePackage: 1106,
  payloadFormat: 1124,
  payloadCompressor: 1125,
  longFileSizes: 5008,
  longSize: 5009,
}

/** Throws unless rpm reads the same name, version and architecture. Without rpm: nothing. */
async function checkRpmAgrees(
  exec: Pick<Exec, 'run' | 'which'>,
  staged: string,
  description: PackageDescription,
  { path, signal }: Taking,
): Promise<void> {
  if ((await exec.which('rpm')) === undefined) return
  const format = ['NAME', 'EPOCHNUM', 'VERSION', 'RELEASE', 'ARCH'].map((tag) => `%{${tag}}\\n`).join('')
  const result = await exec.run({
    program: 'rpm',
    // Signatures are for the nodes to judge, with their own keys.
    args: ['--query', '--package', '--nosignature', '--queryformat', format, staged],
    timeoutMs: limits.payloadCheckTimeoutMs,
    env: { LC_ALL: 'C.UTF-8' },
    signal,
  })
  if (result.timedOut) throw new Failure('timed-out', `${path}: rpm took too long to read it`)
  if (result.code !== 0) {
    const complaint = result.stderr.replaceAll(staged, path).trim().split('\n').at(-1) ?? ''
    throw new Failure('bad-input', `${path}: rpm refuses it: ${complaint.replace(/^error: /, '')}`)
  }
  const [name = '', epoch = '', version = '', release = '', arch = ''] = result.stdout.split('\n')
  const read = { name, version: rpmVersionOf(epoch, version, release), arch: archOfRpm(arch) ?? arch }
  checkSameReading('rpm', read, description, path)
}

/** The tags of the signature of a header, or of a header and its payload (rpm's `rpmtag.h`). */
const signatures = [267, 268, 278, 1002, 1005]

function warningsAbout({ signature }: RpmParts, path: string): string[] {
  if (signatures.some((tag) => signature.has(tag))) return []
  return [`${path}: it has no signature, and machines whose rpm demands one refuse it (%_pkgverify_level)`]
}

function checkPayloadFormat(header: RpmHeader, path: string): void {
  const [format, compressor] = [
    header.text(tags.payloadFormat) ?? 'cpio',
    header.text(tags.payloadCompressor) ?? 'gzip',
  ]
  if (format === 'drpm') {
    throw new Failure('unsupported', `${path}: it is a delta rpm`, { hint: 'publish the whole package' })
  }
  if (format !== 'cpio' || !compressors.includes(compressor)) {
    const what = `its payload is ${format} in ${compressor}`.slice(0, 80)
    throw new Failure('unsupported', `${path}: ${what}, which rpm does not unpack`)
  }
}

const compressors = ['none', 'gzip', 'bzip2', 'lzma', 'xz', 'zstd']

/** What the header says. Throws `bad-input` or `unsupported` naming `path`. */
export function descriptionOfRpm({ header, isSource, size }: RpmParts, path: string): PackageDescription {
  if (isSource || header.number(tags.sourcePackage) !== undefined || header.text(tags.sourceRpm) === undefined) {
    throw new Failure('unsupported', `${path}: it is a source package`, {
      hint: 'build it, and publish what it is built into',
    })
  }
  checkPayloadFormat(header, path)
  const required = (tag: number, what: string) => {
    const text = header.text(tag)
    if (text === undefined || text === '') throw new Failure('bad-input', `${path}: its header has no ${what}`)
    return text
  }
  const checked = (schema: v.GenericSchema<string>, text: string, what: string): string => {
    const result = v.safeParse(schema, text)
    if (result.success) return result.output
    throw new Failure('bad-input', `${path}: ${what} ${JSON.stringify(text.slice(0, 80))}: ${whyNot(result.issues)}`)
  }
  const rpmArch = required(tags.arch, 'architecture')
  const arch = archOfRpm(rpmArch)
  if (arch === undefined) {
    throw new Failure('unsupported', `${path}: architecture ${JSON.stringify(rpmArch.slice(0, 80))} is not known here`)
  }
  const name = checked(publishedNameSchema, required(tags.name, 'name'), 'name')
  const [version, release] = [required(tags.version, 'version'), required(tags.release, 'release')]
  // A dash would move the border between version and release.
  const [badPart] = [version, release].filter((part) => part.includes('-'))
  if (badPart !== undefined) {
    throw new Failure('bad-input', `${path}: version or release ${JSON.stringify(badPart.slice(0, 80))} has a dash`)
  }
  const provides = [...new Set(header.texts(tags.provides))].filter((one) => one !== name && /^[^(\s]/.test(one))
  return {
    kind: 'rpm',
    name,
    version: checked(packageVersionSchema, rpmVersionOf(header.number(tags.epoch) ?? 0, version, release), 'version'),
    arch,
    installedSize: installedSizeOf(
      header.number(tags.longSize) ?? header.number(tags.size) ?? 0,
      header.sum(tags.longFileSizes) ?? header.sum(tags.fileSizes) ?? size,
      path,
    ),
    depends: dependsOf(header, path),
    provides: provides.slice(0, limits.providesMax),
    conflicts: clausesOf(header, conflictTags, path, 'conflicts').slice(0, limits.exclusionsMax),
    replaces: clausesOf(header, obsoleteTags, path, 'obsoletes').slice(0, limits.exclusionsMax),
    summary: (header.text(tags.summary) ?? '').replace(/\p{Cc}/gu, ' ').slice(0, limits.textMaxChars),
    hooks: {},
  }
}

const [less, greater, equal, isRpmlib] = [1 << 1, 1 << 2, 1 << 3, 1 << 24]

const requireTags = [tags.requires, tags.requireFlags, tags.requireVersions] as const
const conflictTags = [tags.conflicts, tags.conflictFlags, tags.conflictVersions] as const
const obsoleteTags = [tags.obsoletes, tags.obsoleteFlags, tags.obsoleteVersions] as const

/** The requirements without those that rpm itself has to meet. */
function dependsOf(header: RpmHeader, path: string): string[] {
  const depends = clausesOf(header, requireTags, path, 'requirements')
  if (depends.length <= limits.dependsMax) return depends
  throw new Failure('too-large', `${path}: it depends on more than ${limits.dependsMax} others`)
}

/** Relations in rpm's own form, `base >= 1.0`, each once. `tagged`: the tags of names, flags and versions. */
function clausesOf(header: RpmHeader, tagged: readonly [number, number, number], path: string, what: string): string[] {
  const [names, flags, versions] = [header.texts(tagged[0]), header.numbers(tagged[1]), header.texts(tagged[2])]
  const isWhole = [flags, versions].every((list) => list.length === 0 || list.length === names.length)
  if (!isWhole) throw new Failure('bad-input', `${path}: not a whole rpm package: its ${what} do not fit together`)
  const clauses = names.flatMap((name, index) => {
    const flag = flags[index] ?? 0
    if ((flag & isRpmlib) !== 0 || name.startsWith('rpmlib(')) return []
    const sign = `${flag & less ? '<' : ''}${flag & greater ? '>' : ''}${flag & equal ? '=' : ''}`
    const version = versions[index] ?? ''
    return [sign === '' || version === '' ? name : `${name} ${sign} ${version}`]
  })
  return [...new Set(clauses)]
}
