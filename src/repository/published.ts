// What a publication is asked for, what it reports, and what it needs of the root.

import type { Kind, Payload } from '../model/manifest.ts'
import type { Arch, Instant, PackageName, PackageVersion, Sha256 } from '../model/names.ts'
import type { Target } from '../model/packages/target.ts'
import type { Objects } from '../world/objects.ts'
import type { Clock, Disk, Log } from '../world/world.ts'
import type { Prepare } from './preparing/preparing.ts'
import type { Progress } from './taking.ts'

export interface PublishOptions {
  /**
   * Names a folder's package. The name of a .deb or .rpm is inside it; another name here is
   * refused.
   */
  name?: string
  /** Like `name`. */
  version?: string
  /** The machines that the build is for, by their facts. Wins over what the package itself says. */
  target?: Target
  onProgress?: (progress: Progress) => void
  signal?: AbortSignal
  /** What storing the package runs in; it may add what belongs to it. Runs at once by default. */
  storing?: (work: () => Promise<Published>) => Promise<Published>
}

export interface PublishedVersion {
  name: PackageName
  version: PackageVersion
  arch: Arch
  kind: Kind
  /** The machines that the build is for. Absent: all of its architecture. */
  target?: Target
  summary: string
  depends: string[]
  /** Bytes below the target root once installed. */
  installedSize: number
  payload: Payload
  manifest: Sha256
  published: Instant
}

export interface Published extends PublishedVersion {
  /**
   * `already`: the same content was published before; files of it that had been lost are restored.
   */
  outcome: 'published' | 'already'
  /** Sentences about what may go wrong on nodes. */
  warnings: string[]
}

export interface RepositoryParts {
  /** The folder of the index. */
  dir: string
  /** The folder of whole payloads, each file named by its SHA-256. */
  payloads: string
  objects: Pick<Objects, 'get' | 'put'>
  disk: Disk
  /** Checks a package and stages its payload. */
  prepare: Prepare
  clock: Pick<Clock, 'now'>
  log: Log
}
