// Parsers for the output of dpkg and apt. It has to be their English output, as with LC_ALL=C.UTF-8.

import { Failure } from '../../../model/failure.ts'
import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import { type Glob, textGlobOf } from '../../../model/units/globs.ts'
import { pathOfMissing } from '../drift/left-alone.ts'

export const dpkgQueryFormat =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in.
  '${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Status}\\t${db:Status-Want}\\t${db:Status-Eflag}\\n'

/** One package in dpkg's database, whether or not it is installed. */
export interface DpkgEntry {
  name: PackageName
  version: string
  arch: string
  status: string
  held: boolean
  needsReinstall: boolean
}

/**
 * Lines of `dpkg-query -W -f=dpkgQueryFormat`. Throws `program-failed` for a line that lacks a
 * field: the answer is then not whole.
 */
export function parseDpkgQuery(text: string): DpkgEntry[] {
  const entries: DpkgEntry[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [name, version, arch, status, want, flag] = line.split('\t')
    if (
      name === undefined ||
      version === undefined ||
      arch === undefined ||
      status === undefined ||
      flag === undefined
    ) {
      throw new Failure('program-failed', `dpkg-query printed a line that is not whole: ${line.slice(0, 80)}`)
    }
    entries.push({ name, version, arch, status, held: want === 'hold', needsReinstall: flag === 'reinstreq' })
  }
  return entries
}

/**
 * Files that `dpkg --verify` found changed or missing, without conffiles: those are the
 * administrator's to change.
 */
export function parseVerify(text: string): { path: string; missing: boolean }[] {
  const findings = []
  for (const line of text.split('\n')) {
    const match = verifyLine.exec(line)
    if (match === null || match[2] === 'c') continue
    const missing = match[1] === 'missing'
    findings.push({ path: missing ? pathOfMissing(match[3] as string) : (match[3] as string), missing })
  }
  return findings
}

/**
 * Whether dpkg's settings keep a path off this machine (`path-exclude` in dpkg.cfg, as in slim
 * images). `settings` is the text of all of them, in the order in which dpkg reads them. `dpkg
 * --verify` calls such files missing.
 */
export function pathExcludedBy(settings: string): (path: string) => boolean {
  const rules: { exclude: boolean; fits: Glob }[] = []
  for (const line of settings.split('\n')) {
    const [, word, rest = ''] = /^path-(exclude|include)(?=[=\s])(.*)$/.exec(line.trim()) ?? []
    const glob = rest.trim().replace(/^=/, '').trim().replace(/^"/, '').replace(/"$/, '')
    if (word !== undefined && !glob.includes('"')) rules.push({ exclude: word === 'exclude', fits: globFor(glob) })
  }
  return (path) => rules.findLast(({ fits }) => fits(path) || fits(`${path}/`))?.exclude ?? false
}

/** What apt would install and remove. */
export interface Simulated {
  installs: PackageName[]
  removes: PackageName[]
}

/**
 * Reads `Inst name [old] (new …)` and `Remv name [old]` of `apt-get -s`, on a machine of the
 * architecture `native`.
 */
export function parseSimulation(text: string, native: string): Simulated {
  const namesOf = (verb: string) =>
    [...text.matchAll(new RegExp(`^${verb} (\\S+)`, 'gm'))].map((match) => ownName(match[1] as string, native))
  return { installs: namesOf('Inst'), removes: [...namesOf('Remv'), ...namesOf('Purg')] }
}

/**
 * The lines in which apt and dpkg say what went wrong. `about` is those that name a package, or
 * else all.
 */
export function parseComplaints(text: string): { all: string; about(name: PackageName): string } {
  const lines: string[] = []
  const source = text.split('\n')
  for (const [index, line] of source.entries()) {
    if (/^dpkg: (error|unrecoverable)/.test(line))
      lines.push(`${line.trim()} ${source[index + 1]?.trim() ?? ''}`.trim())
    else if (/^E: /.test(line) || unmetFirst.test(line)) lines.push(line.trim())
    else if (unmetMore.test(line)) lines.push(`${lines.pop() ?? ''}, ${line.trim()}`)
  }
  // These two only say that one of the lines above went wrong.
  const telling = lines.filter((line) => !/^E: (Sub-process .*returned an error|Unable to correct problems)/.test(line))
  const kept = telling.length > 0 ? telling : lines
  return {
    all: joined(kept),
    about(name) {
      const isIt = (word: string) => word === name || (publishedNameOf(word) === name && !word.startsWith(`${name}:/`))
      const own = kept.filter((line) => line.split(/[\s(),]+/).some((word) => isIt(word.replace(/:$/, ''))))
      return joined(own.length > 0 ? own : kept)
    },
  }
}

/** The packages that apt says lack something: jq in ` jq : Depends: libjq1 …`. */
export function parseUnmet(text: string, native: string): Set<PackageName> {
  const names = text.split('\n').flatMap((line) => unmetFirst.exec(line)?.[1] ?? [])
  return new Set(names.map((name) => ownName(name, native)))
}

/**
 * The packages and the base names of files that dpkg could not process: X in `error processing
 * archive /…/X`. dpkg also names the machine's own architecture, `native`.
 */
export function parseCulprits(text: string, native: string): Set<string> {
  const files = [...text.matchAll(/^dpkg: error processing archive (\S+)/gm)].map(([, file]) => file?.split('/').pop())
  return new Set([...parseUnprocessed(text, native), ...files.filter((file) => file !== undefined)])
}

/** The packages that dpkg could not process, apart from those that it read from a file. */
export function parseUnprocessed(text: string, native: string): Set<PackageName> {
  const names = [...text.matchAll(/^dpkg: error processing package (\S+)/gm)].map(([, name]) => name as string)
  return new Set(names.map((name) => ownName(name, native)))
}

/**
 * Configuration files that somebody changed: those that dpkg kept, with the package's own version
 * beside each, and those that the machine's settings let it replace, with the former beside each.
 */
export function parseConffiles(text: string): { kept: string[]; replaced: string[] } {
  const found = { kept: [] as string[], replaced: [] as string[] }
  let file = ''
  for (const line of text.split('\n')) {
    file = /^Configuration file '(.+?)'/.exec(line)?.[1] ?? file
    if (/^ ==> Keeping old config file/.test(line) && file !== '') found.kept.push(file)
    if (/^ ==> Using new file/.test(line) && file !== '') found.replaced.push(file)
  }
  return found
}

/** The packages that dpkg took out of its database because others have all of their files now. */
export function parseVanished(text: string, native: string): PackageName[] {
  const found = text.matchAll(/^\(Noting disappearance of (\S+), which has been completely replaced\.\)/gm)
  return [...found].map(([, name]) => ownName(name as string, native))
}

/** The hook of the machine's own settings that failed after dpkg had done its work. */
export function parsePostInvoke(text: string): string | undefined {
  return /^E: Problem executing scripts DPkg::Post-Invoke (.*)$/m.exec(text)?.[1]
}

/** The name of a package on a machine of this architecture, from dpkg's `name:arch`. */
export function ownName(text: string, native: string): PackageName {
  const [name = '', arch = 'all'] = text.split(':')
  return arch === 'all' || arch === native ? name : text
}

/**
 * Reads `name: /path` lines of `dpkg-query --search`. The package of each path, on a machine of the
 * architecture `native`.
 */
export function parseOwners(text: string, native: string): Map<string, PackageName> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const match = /^([A-Za-z0-9+._-]+(?::[a-z0-9-]+)?): (\/.*)$/.exec(line)
      return match === null ? [] : [[match[2] as string, ownName(match[1] as string, native)]]
    }),
  )
}

/** Reads the `md5sums` file of a package. The absolute paths of the files that the package holds empty. */
export function emptyFilesIn(md5sums: string): Set<string> {
  return new Set(
    md5sums.split('\n').flatMap((line) => {
      const file = /^d41d8cd98f00b204e9800998ecf8427e\s+(\S.*)$/.exec(line)?.[1]
      return file === undefined ? [] : [`/${file.replace(/^(\.?\/)+/, '')}`]
    }),
  )
}

/** Reads the lines of `dpkg-deb --contents`: mode, owner, size, day, time, path. Absolute paths. */
export function pathsInContents(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const file = /^[-a-z]\S{9}\s+\S+\s+\S+\s+\S+\s+\S+ \.?(\/.*?)(?: -> .*| link to .*)?$/.exec(line)?.[1]
    return file === undefined ? [] : [file === '/' ? file : file.replace(/\/$/, '')]
  })
}

/** Reads `Field: value` lines of `dpkg-deb -f`. */
export function parseControl(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const match = /^([A-Za-z-]+): *(.*)$/.exec(line)
      return match === null ? [] : [[match[1] as string, match[2] as string]]
    }),
  )
}

const verifyLine = /^(missing|[?.0-9A-Z]{9,})\s+(?:([a-z])\s+)?(\/.*)$/

// ` jq : Depends: libjq1 (= 1.6) but it is not installable`, and in lines below what else jq lacks.
const unmetFirst = /^ +([^\s:]+(?::[a-z0-9-]+)?) : (Pre-?Depends|Depends|Conflicts|Breaks): /
const unmetMore = /^ +(Pre-?Depends|Depends|Conflicts|Breaks): /

function joined(lines: readonly string[]): string {
  return [...new Set(lines.map((line) => line.replace(/\s+/g, ' ')))].join('; ')
}

/**
 * fnmatch without FNM_PATHNAME, as dpkg calls it. For fnmatch, a `[` without its `]` is a letter, and a
 * pattern with a backslash at its end matches nothing.
 */
function globFor(pattern: string): Glob {
  for (const written of [pattern, pattern.replace(/(?<!\\)\[/g, '\\[')]) {
    try {
      return textGlobOf(written)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
    }
  }
  return () => false
}
