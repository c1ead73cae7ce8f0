// Parsers for the output of rpm, dnf and zypper. It has to be their English output, as with
// LC_ALL=C.UTF-8.

import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import { nameOnMachine, rpmVersionOf } from '../../../model/rpm.ts'
import { type Finding, pathOfMissing, type Shipped } from '../drift/left-alone.ts'

const fields = ['NAME', 'EPOCHNUM', 'VERSION', 'RELEASE', 'ARCH', 'SHA256HEADER', 'SIGMD5']
/** One line for each package, for `parseRpmQuery`. */
export const rpmQueryFormat = `${fields.map((field) => `%{${field}}`).join('\\t')}\\n`
/** One line for each name that an installed package provides, for `parseProvides`. */
export const rpmProvidesFormat = '[provides\\t%{PROVIDENAME}\\n]'
/** The line of a package file, and one line for each name that it provides or calls obsolete. */
export const rpmFileFormat = `${rpmQueryFormat}${rpmProvidesFormat}[obsoletes\\t%{OBSOLETENAME}\\t%{OBSOLETEFLAGS:depflags}\\t%{OBSOLETEVERSION}\\n]`

/** One installed package, or one package file. */
export interface RpmEntry {
  name: PackageName
  version: string
  /** The architecture, as rpm calls it. */
  arch: string
  /** Tells two builds of one version apart. */
  build: string
}

/**
 * Reads the lines of `rpm -q --qf rpmQueryFormat`. A line without tabs says that a package is not
 * installed. Names are those of a machine of the architecture `native`, and without it as published.
 */
export function parseRpmQuery(text: string, native?: string): RpmEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, epoch, version, release, arch, sha256, md5] = line.split('\t')
    if (name === undefined || epoch === undefined || version === undefined || release === undefined) return []
    if (arch === undefined || sha256 === undefined) return []
    return [
      {
        name: nameOnMachine(name, arch, native),
        version: rpmVersionOf(epoch, version, release),
        arch,
        build: sha256 === '(none)' ? `${md5}` : sha256,
      },
    ]
  })
}

/** An entry of a package's Obsoletes. */
export interface Obsoleted {
  name: PackageName
  /** `<`, `<=`, `=`, `>=`, `>`; empty for every version. */
  sign: string
  version: string
}

/** Reads the lines after the first of `rpm -qp --qf rpmFileFormat`. */
export function parseObsoletes(text: string): Obsoleted[] {
  return text.split('\n').flatMap((line) => {
    const [word, name, sign, version] = line.split('\t')
    if (word !== 'obsoletes' || name === undefined || name === '(none)') return []
    return [{ name, sign: (sign ?? '').trim(), version: version ?? '' }]
  })
}

/** Reads the lines of `rpmProvidesFormat`, among others: the names that a package provides. */
export function parseProvides(text: string): string[] {
  return text.split('\n').flatMap((line) => (line.startsWith('provides\t') ? [line.slice('provides\t'.length)] : []))
}

/**
 * Reads the lines of `rpm -V`, without configuration files: those are the administrator's to
 * change. `touched`: the files whose time has changed, and as far as was checked nothing else of
 * them. `unread`: the files that rpm could not check.
 */
export function parseRpmVerify(text: string): { findings: Finding[]; touched: string[]; unread: string[] } {
  const findings: Finding[] = []
  const touched: string[] = []
  const unread: string[] = []
  for (const line of text.split('\n')) {
    if (/^package .+ is not installed$/.test(line)) unread.push(line)
    const match = /^(missing|[.?0-9A-Z]{8,})\s+(?:([acdglmnr])\s+)?(\/.*)$/.exec(line)
    if (match === null || match[2] === 'c') continue
    const [, what, , path] = match as unknown as [string, string, string | undefined, string]
    if (what === 'missing') findings.push({ path: pathOfMissing(path), what: 'missing' })
    else if (/[SM5DLUGP]/.test(what)) findings.push({ path, what: 'changed' })
    else if (what.includes('?')) unread.push(path)
    else if (what.includes('T') && match[2] !== 'g') touched.push(path)
  }
  return { findings, touched, unread }
}

/** One line for each file of a package: its flags, its size and its path. */
export const rpmFilesFormat = '[%{FILEFLAGS:fflags}\\t%{FILESIZES}\\t%{FILEMODES:perms}\\t%{FILENAMES}\\n]'

/** Reads the lines of `rpm -q --qf rpmFilesFormat`: the plain files that are empty, and the ghosts. */
export function parseRpmFiles(text: string): Map<string, Shipped> {
  const shipped = new Map<string, Shipped>()
  for (const line of text.split('\n')) {
    const [flags, size, mode, file] = line.split('\t')
    if (flags === undefined || file === undefined) continue
    if (flags.includes('g')) shipped.set(file, 'ghost')
    else if (size === '0' && mode?.startsWith('-')) shipped.set(file, 'empty')
  }
  return shipped
}

/** `shop-1:2.0-1.fc40.noarch`: one version of a package, as rpm, dnf and zypper are told it. */
export function nevraOf({ name, version, arch }: RpmEntry): string {
  return `${publishedNameOf(name)}-${version}.${arch}`
}

/** The package in `shop-1:2.0-1.fc40.noarch`, on a machine of the architecture `native`. */
export function nameInNevra(nevra: string, native?: string): PackageName {
  const name = /^(.+)-[^-]+-[^-]+$/.exec(nevra)?.[1]
  return name === undefined ? nevra : nameOnMachine(name, nevra.slice(nevra.lastIndexOf('.') + 1), native)
}

/** What rpm, dnf or zypper says went wrong. */
export interface RpmComplaints {
  /** The lines that say what went wrong with a package, or all such lines if none names it. */
  about(name: PackageName): string
  /** The packages that lack something or conflict with others. */
  unmet: Set<PackageName>
  /** The packages whose scriptlet failed, or that could not be unpacked or erased. */
  culprits: Set<PackageName>
  /**
   * The packages with a scriptlet that failed when the package was in place or gone already, with
   * rpm's line about it.
   */
  late: Map<PackageName, string>
}

/** Reads all that a program has printed. `removes` tells a failed removal from a failed upgrade. */
export function parseRpmComplaints(
  text: string,
  change: { removes: ReadonlySet<PackageName> },
  native?: string,
): RpmComplaints {
  const nameIn = (nevra: string) => nameInNevra(nevra, native)
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => telling.test(line) && !/^error: (Failed dependencies:|Transaction failed)/i.test(line))
  const unmet = new Set<PackageName>()
  const culprits = new Set<PackageName>()
  const late = new Map<PackageName, string>()
  for (const line of lines) {
    const lacking = /needed by (?!\(installed\))(?:the to be installed )?(\S+?)(?: from \S+)?$/.exec(line)?.[1]
    if (lacking !== undefined) unmet.add(nameIn(lacking))
    for (const [, word = ''] of line.matchAll(/(?:install of|package|conflicts with|obsoleted by) (\S+)/g)) {
      const nevra = word.replace(/[,;:)]+$/, '')
      const isNevra = nevra.split('-').length > 2 && /\.\w+$/.test(nevra)
      if (isNevra && /conflicts with|obsoleted/.test(line)) unmet.add(nameIn(nevra))
    }
    const scriptlet = /%(\w+)\((\S+?)\) scriptlet failed/.exec(line)
    if (scriptlet !== null) {
      const [, script, nevra] = scriptlet as unknown as [string, string, string]
      const name = nameIn(nevra)
      const isOurs = change.removes.has(name) ? /^preun/.test(script) : /^(pre|post)(in|trans)?$/.test(script)
      if (isOurs) culprits.add(name)
      else late.set(name, line.replace(/^(warning|error): /, ''))
    }
    const failed = /^error: (\S+): (?:install|erase) failed/.exec(line)?.[1]
    if (failed !== undefined) culprits.add(nameIn(failed))
  }
  return {
    unmet,
    culprits,
    late,
    about(name) {
      const isAbout = (word: string) => word === name || nameIn(word) === name
      const own = lines.filter((line) => line.split(/:?[\s(),]+/).some(isAbout))
      const chosen = [...new Set(own.length > 0 ? own : lines)]
      return chosen.map((line) => line.replace(/^(error|warning): /, '')).join('; ')
    },
  }
}

/**
 * Reads `/etc/app.conf created as /etc/app.conf.rpmnew`: the path, and the file that lies beside it
 * now.
 */
export function parseConfigNotes(text: string): { path: string; beside: string; isSaved: boolean }[] {
  return [
    ...text.matchAll(/^[^\S\n]*warning: (\/.+?) (created|saved) as (\/.+?\.rpm(?:new|save|orig))[^\S\n]*$/gm),
  ].map(([, path = '', how, beside = '']) => ({ path, beside, isSaved: how === 'saved' }))
}

/** The accounts that files were to belong to and that the machine does not have, as `user shop`. */
export function parseMissingAccounts(text: string): string[] {
  const lines = text.matchAll(/^\s*warning: ((?:user|group) \S+) does not exist - using root$/gm)
  return [...new Set([...lines].map(([, account]) => account as string))]
}

/** The package that zypper was working on when it was ended. */
export function lastBegun(text: string, native?: string): PackageName | undefined {
  const nevra = [...text.matchAll(/^\(\d+\/\d+\) (?:Installing|Removing): (\S+?)(?: \[.*)?$/gm)].at(-1)?.[1]
  return nevra === undefined ? undefined : nameInNevra(nevra, native)
}

/** Whether a program gave up because another package manager holds the lock. */
export function isLocked(text: string): boolean {
  return /can't create \S+ lock on|System management is locked by|already locked by \d+/.test(text)
}

const telling = new RegExp(
  [
    '^(error|warning|Error|Config error|Problem): ?(?!.* (created|saved) as )',
    'is needed by',
    'needed by ',
    'conflicts with',
    'is obsoleted by',
    'is already installed',
    'scriptlet failed',
    'No space left',
    'needs \\d+\\S* more space',
    'is intended for a different',
    '^- (nothing|package) ',
    'locked by ',
  ].join('|'),
)
