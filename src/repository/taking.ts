// What all kinds of packages share when they are published: a checked source and a staged payload.

import { dirname } from 'node:path'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Disk } from '../world/world.ts'
import type { StagedPayload } from './payload-file.ts'

/** A manifest without its payload: how the payload travels is decided later. */
export type PackageDescription = Omit<Manifest, 'schema' | 'payload'>

/** How many bytes of one step of a publication are done. */
export interface Progress {
  step: 'packing' | 'hashing' | 'storing'
  done: number
  total: number
}

export interface Taking {
  /** Absolute path of the package's file or folder. */
  path: string
  /** Name and version as given on the command line. */
  given: { name?: string; version?: string }
  /** The file to stage the payload in. The caller removes the file. */
  target: string
  onBytes: (done: number, total: number) => void
  signal: AbortSignal
}

export interface Taken {
  description: PackageDescription
  payload: StagedPayload
  /** Sentences about what may go wrong on nodes. Each begins with the package's path. */
  warnings: string[]
}

/** Throws `conflict` if a package that contains its name and version is published under others. */
export function checkGiven(
  { name, version }: { name: string; version: string },
  { given, path }: Pick<Taking, 'given' | 'path'>,
  what: 'a Debian package' | 'an rpm package',
): void {
  const hint = `the name and version of ${what} are inside it`
  if (given.name !== undefined && given.name !== name) {
    throw new Failure('conflict', `${path}: the package is named ${name}, not ${given.name}`, { hint })
  }
  if (given.version !== undefined && given.version !== version) {
    throw new Failure('conflict', `${path}: the package is version ${version}, not ${given.version}`, { hint })
  }
}

/**
 * Throws `bad-input` if the distribution's own program reads a package in another way. Nodes find a
 * package by that program's words.
 */
export function checkSameReading(
  program: 'dpkg' | 'rpm',
  read: Readonly<Record<'name' | 'version' | 'arch', string>>,
  described: PackageDescription,
  path: string,
): void {
  for (const field of ['name', 'version', 'arch'] as const) {
    if (read[field] === described[field]) continue
    const [theirs, ours] = [read[field], described[field]].map((text) => JSON.stringify(text.slice(0, 80)))
    throw new Failure('bad-input', `${path}: ${program} reads its ${field} as ${theirs}, and banyan as ${ours}`)
  }
}

/**
 * The bytes that a package takes once it is installed: what it says, or what its files have
 * together if that is more. Throws `bad-input` if the package says far too little: nodes would find
 * room for it where there is none.
 */
export function installedSizeOf(said: number, content: number, path: string): number {
  const isFarOff = content > said * limits.sizeLieFactor && content - said > limits.sizeLieBytes
  if (said === 0 || !isFarOff) return Math.max(said, content)
  throw new Failure('bad-input', `${path}: it says that it takes ${said} bytes, and its files have ${content}`, {
    hint: 'build it again with its true size',
  })
}

/**
 * Throws `too-large` or `no-space`, before the first byte is copied, if a payload of so many bytes
 * cannot be staged.
 */
export async function checkRoom(
  disk: Pick<Disk, 'freeBytes'>,
  { path, target }: Pick<Taking, 'path' | 'target'>,
  bytes: number,
): Promise<void> {
  if (bytes > limits.payloadMaxBytes) {
    throw new Failure('too-large', `${path}: ${bytes} bytes are over the limit of ${limits.payloadMaxBytes}`)
  }
  const free = await disk.freeBytes(dirname(target))
  if (bytes <= free) return
  throw new Failure('no-space', `${path}: a copy needs ${bytes} bytes, and ${free} are free in ${dirname(target)}`, {
    retry: 'later',
  })
}
