// Packages of which several versions are installed side by side, such as kernels: which these are,
// and which of their versions may go. Pure.

import type { PackageName } from '../../../model/names.ts'
import { compareVersions } from '../../../model/versions.ts'
import type { RpmFrontEndName } from './rpm-front-end.ts'
import { type RpmSettings, wordsIn } from './rpm-settings.ts'
import type { RpmEntry } from './rpm-text.ts'

/**
 * Whether packages that provide these names stand side by side. A package provides its own name.
 */
export function isSideBySide(provides: readonly string[], { dnf, multiversion }: RpmSettings): boolean {
  const wanted = new Set([
    ...installOnly,
    ...wordsIn(dnf.get('installonlypkgs')),
    ...multiversion.map((word) => word.replace(/^provides:/, '')),
  ])
  return provides.some((name) => wanted.has(name))
}

/** Whether zypper by itself installs such packages side by side. */
export function isMultiversion(
  provides: readonly string[],
  { multiversion }: Pick<RpmSettings, 'multiversion'>,
): boolean {
  return multiversion.some((word) => provides.includes(word.replace(/^provides:/, '')))
}

/**
 * How many versions of a package stay, or 0 for all. Without a rule's word, what the machine's
 * package manager is set to; zypper itself takes nothing away when it installs.
 */
export function versionsKeptBy(
  frontEnd: RpmFrontEndName,
  { dnf }: Pick<RpmSettings, 'dnf'>,
  rule: number | undefined,
): number {
  if (rule !== undefined) return rule
  if (frontEnd === 'zypper') return 0
  const own = Number.parseInt(dnf.get('installonly_limit') ?? '', 10)
  if (Number.isNaN(own)) return installOnlyLimit
  // dnf allows no limit of 1: the new kernel would take the running one away.
  return own === 1 ? 2 : Math.max(0, own)
}

/**
 * The installed versions of one package that are too many. The wanted version and those that run
 * stay; of the others, the newest stay.
 */
export function surplusOf(
  versions: readonly RpmEntry[],
  { kept, stays }: { kept: number; stays: (entry: RpmEntry) => boolean },
): RpmEntry[] {
  if (kept === 0) return []
  const room = Math.max(0, kept - versions.filter(stays).length)
  const others = versions.filter((entry) => !stays(entry)).sort((a, b) => compareVersions('rpm', b.version, a.version))
  return others.slice(room)
}

/**
 * The versions that belong to the running kernel. `release` is what `uname -r` says, `owners` are
 * the packages that have its files.
 */
export function runningOf(versions: readonly RpmEntry[], release: string, owners: readonly RpmEntry[]): RpmEntry[] {
  const plain = ({ version }: RpmEntry) => version.replace(/^\d+:/, '')
  const running = new Set(owners.map(plain))
  return versions.filter((entry) => running.has(plain(entry)) || release.startsWith(`${plain(entry)}.${entry.arch}`))
}

/** The installed versions of each package, by name. */
export function versionsByName(entries: readonly RpmEntry[]): Map<PackageName, RpmEntry[]> {
  return Map.groupBy(entries, ({ name }) => name)
}

/** What dnf lets stand side by side without being told. */
const installOnly = [
  'kernel',
  'kernel-PAE',
  'installonlypkg(kernel)',
  'installonlypkg(kernel-module)',
  'installonlypkg(vm)',
  'multiversion(kernel)',
]

/** dnf's own `installonly_limit`. */
const installOnlyLimit = 3
