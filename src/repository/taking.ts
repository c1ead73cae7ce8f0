// What every kind of package does to be published: its source is checked, and its payload staged in a file of ours.

import { Failure } from '../model/failure.ts'
import type { Manifest } from '../model/manifest.ts'
import type { StagedPayload } from './payload-file.ts'

/** A manifest before it is known how the payload travels. */
export type PackageDescription = Omit<Manifest, 'schema' | 'payload'>

export interface Taking {
  /** Absolute path of what is to be published. */
  path: string
  /** Name and version from the command line. */
  given: { name?: string; version?: string }
  /** Where the payload is staged; who asked removes it. */
  target: string
  onBytes: (done: number, total: number) => void
  signal: AbortSignal
}

export interface Taken {
  description: PackageDescription
  payload: StagedPayload
}

/** For packages that say themselves what they are. */
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
