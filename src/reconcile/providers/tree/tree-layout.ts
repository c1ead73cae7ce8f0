// The paths of a tree: `opt/<name>/versions/<version>`, the link `current` to one of them, our
// records in `.banyan`. Pure.

import path from 'node:path'
import type { PackageName, PackageVersion } from '../../../model/names.ts'

/** The absolute paths of one package. */
export interface TreePlace {
  /** `opt/<name>`. */
  base: string
  versions: string
  /** The link to the version in force. */
  current: string
  records: string
  /** The path of a folder below `versions`. */
  folder(name: string): string
}

/** The paths of a package below a target root. */
export function treePlace(targetRoot: string, name: PackageName): TreePlace {
  const base = path.join(targetRoot, 'opt', name)
  const versions = path.join(base, 'versions')
  return {
    base,
    versions,
    current: path.join(base, 'current'),
    records: path.join(base, '.banyan'),
    folder: (folder) => path.join(versions, folder),
  }
}

/** The folder into which a version is unpacked. */
export function unfinishedFolder(version: PackageVersion): string {
  return `.tmp-${version}`
}

/**
 * The folder of a version whose own folder is taken: `current` points to it until the own folder
 * has been renewed. There are two such names, because `current` may still point to one that an
 * interrupted try left. No version starts with a dot.
 */
export function stagingFolder(version: PackageVersion, folderInUse: string | undefined): string {
  const first = `.next-a-${version}`
  return folderInUse === first ? `.next-b-${version}` : first
}

/** Whether a version is staged in that folder beside its own. */
export function isStagingFolder(folder: string): boolean {
  return /^\.next-[ab]-/.test(folder)
}

/** Whether a version was unpacked into that folder and never got further. */
export function isUnfinishedFolder(folder: string): boolean {
  return folder.startsWith('.tmp-')
}

/** The version in a folder, whichever of its folders that is. */
export function versionOfFolder(folder: string): PackageVersion {
  return folder.replace(/^\.(next-[ab]|tmp)-/, '')
}

/** What `current` holds to point at a folder. */
export function linkTargetOf(folder: string): string {
  return `versions/${folder}`
}

/** The folder below `versions` that `current` points to. Undefined if it points anywhere else. */
export function folderOfLink(target: string | undefined): string | undefined {
  return target === undefined ? undefined : /^versions\/([^/]+)$/.exec(target)?.[1]
}
