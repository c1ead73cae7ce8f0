// Where a tree lies: `opt/<name>/versions/<version>`, `current` pointing at one of them, our records in `.banyan`. Pure.

import path from 'node:path'
import type { PackageName, PackageVersion } from '../../../model/names.ts'

export interface TreePlace {
  base: string
  versions: string
  current: string
  records: string
  folder(name: string): string
}

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

export function unfinishedFolder(version: PackageVersion): string {
  return `.tmp-${version}`
}

/**
 * Where a version is put whose own folder is taken: `current` points here until that folder has been renewed. There are
 * two, because `current` may still point to one that was left by an interrupted try. No version starts with a dot.
 */
export function stagingFolder(version: PackageVersion, folderInUse: string | undefined): string {
  const first = `.next-a-${version}`
  return folderInUse === first ? `.next-b-${version}` : first
}

export function isStagingFolder(folder: string): boolean {
  return /^\.next-[ab]-/.test(folder)
}

export function isUnfinishedFolder(folder: string): boolean {
  return folder.startsWith('.tmp-')
}

export function versionOfFolder(folder: string): PackageVersion {
  return folder.replace(/^\.(next-[ab]|tmp)-/, '')
}

export function linkTargetOf(folder: string): string {
  return `versions/${folder}`
}

/** The folder that `current` points to; undefined if it points anywhere else. */
export function folderOfLink(target: string | undefined): string | undefined {
  return target === undefined ? undefined : /^versions\/([^/]+)$/.exec(target)?.[1]
}
