// What all kinds of packages share when they are published: a checked source and a staged payload.
// payload.

import { Failure } from '../model/failure.ts'
import type { Manifest } from '../model/manifest.ts'
import type { StagedPayload } from './payload-file.ts'

/** A manifest without its payload: how the payload travels is decided later. */
export type PackageDescription = Omit<Manifest, 'schema' | 'payload'>

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
