// What rpm, dnf and zypper print, parsed. Run them with LC_ALL=C: these are their own English words.

import type { PackageName } from '../../../model/names.ts'
import { rpmVersionOf } from '../../../model/rpm.ts'

const fields = ['NAME', 'EPOCHNUM', 'VERSION', 'RELEASE', 'ARCH', 'SHA256HEADER', 'SIGMD5']
export const rpmQueryFormat = `${fields.map((field) => `%{${field}}`).join('\\t')}\\n`
export const rpmFileFormat = `${rpmQueryFormat}[obsoletes\\t%{OBSOLETENAME}\\t%{OBSOLETEFLAGS:depflags}\\t%{OBSOLETEVERSION}\\n]`

export interface RpmEntry {
  name: PackageName
  version: string
  /** As rpm calls it. */
  arch: string
  /** Tells two builds of one version apart. */
  build: string
}

/** Lines of `rpm -q --qf rpmQueryFormat`; what is not installed is said in a line without tabs. */
export function parseRpmQuery(text: string): RpmEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, epoch, version, release, arch, sha256, md5] = line.split('\t')
    if (name === undefined || epoch === undefined || version === undefined || release === undefined) return []
    if (arch === undefined || sha256 === undefined) return []
    return [
      { name, version: rpmVersionOf(epoch, version, release), arch, build: sha256 === '(none)' ? `${md5}` : sha256 },
    ]
  })
}

export interface Obsoleted {
  name: PackageName
  /** `<`, `<=`, `=`, `>=`, `>`; empty for every version. */
  sign: string
  version: string
}

/** The lines after the first of `rpm -qp --qf rpmFileFormat`. */
export function parseObsoletes(text: string): Obsoleted[] {
  return text.split('\n').flatMap((line) => {
    const [word, name, sign, version] = line.split('\t')
    if (word !== 'obsoletes' || name === undefined || name === '(none)') return []
    return [{ name, sign: (sign ?? '').trim(), version: version ?? '' }]
  })
}

export interface RpmFinding {
  path: string
  /** Undefined for one that is missing. */
  changed?: string
}

/** Lines of `rpm -V`. Configuration files are the administrator's to change, and a time alone says nothing. */
export function parseRpmVerify(text: string): { findings: RpmFinding[]; isTouched: boolean } {
  const findings: RpmFinding[] = []
  let isTouched = false
  for (const line of text.split('\n')) {
    const match = /^(missing|[.?0-9A-Z]{8,})\s+(?:([acdglmnr])\s+)?(\/.*?)(?: \([^()]*\))?$/.exec(line)
    if (match === null || match[2] === 'c' || match[2] === 'g') continue
    const [, what, , path] = match as unknown as [string, string, string | undefined, string]
    if (what === 'missing') findings.push({ path })
    else if (/[SM5DLUGP]/.test(what)) findings.push({ path, changed: what })
    else if (what.includes('T')) isTouched = true
  }
  return { findings, isTouched }
}

/** The package in `shop-1:2.0-1.fc40.noarch`. */
export function nameInNevra(nevra: string): PackageName {
  return /^(.+)-[^-]+-[^-]+$/.exec(nevra)?.[1] ?? nevra
}

export interface RpmComplaints {
  /** Lines that say what went wrong. */
  about(name: PackageName): string
  /** Those that lack something or are in the way of others. */
  unmet: Set<PackageName>
  /** Those whose scriptlet failed, or that could not be unpacked or erased. */
  culprits: Set<PackageName>
  /** Scriptlets that failed when there was nothing to be saved any more. */
  late: Map<PackageName, string>
}

export function parseRpmComplaints(text: string, change: { removes: ReadonlySet<PackageName> }): RpmComplaints {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => telling.test(line) && !/^error: (Failed dependencies:|Transaction failed)/i.test(line))
  const unmet = new Set<PackageName>()
  const culprits = new Set<PackageName>()
  const late = new Map<PackageName, string>()
  for (const line of lines) {
    const lacking = /needed by (?!\(installed\))(?:the to be installed )?(\S+?)(?: from \S+)?$/.exec(line)?.[1]
    if (lacking !== undefined) unmet.add(nameInNevra(lacking))
    for (const [, nevra] of line.matchAll(/(?:install of|package|conflicts with|obsoleted by) (\S+-\S+-\S+\.\w+)/g)) {
      if (nevra !== undefined && /conflicts with|obsoleted/.test(line)) unmet.add(nameInNevra(nevra))
    }
    const scriptlet = /%(\w+)\((\S+?)\) scriptlet failed/.exec(line)
    if (scriptlet !== null) {
      const [, script, nevra] = scriptlet as unknown as [string, string, string]
      const name = nameInNevra(nevra)
      const isOurs = change.removes.has(name) ? /^preun/.test(script) : /^(pre|post)(in|trans)?$/.test(script)
      if (isOurs) culprits.add(name)
      else late.set(name, line.replace(/^(warning|error): /, ''))
    }
    const failed = /^error: (\S+): (?:install|erase) failed/.exec(line)?.[1]
    if (failed !== undefined) culprits.add(nameInNevra(failed))
  }
  return {
    unmet,
    culprits,
    late,
    about(name) {
      const isAbout = (word: string) => word === name || nameInNevra(word) === name
      const own = lines.filter((line) => line.split(/:?[\s(),]+/).some(isAbout))
      const chosen = [...new Set(own.length > 0 ? own : lines)]
      return chosen.map((line) => line.replace(/^(error|warning): /, '')).join('; ')
    },
  }
}

/** `/etc/app.conf created as /etc/app.conf.rpmnew`: the path, and what lies beside it now. */
export function parseConfigNotes(text: string): { path: string; beside: string; isSaved: boolean }[] {
  return [...text.matchAll(/^\s*warning: (\/.+?) (created|saved) as (\/.+?\.rpm(?:new|save|orig))\s*$/gm)].map(
    ([, path = '', how, beside = '']) => ({ path, beside, isSaved: how === 'saved' }),
  )
}

/** The package that zypper was at when it was ended. */
export function lastBegun(text: string): PackageName | undefined {
  const nevra = [...text.matchAll(/^\(\d+\/\d+\) (?:Installing|Removing): (\S+?)(?: \[.*)?$/gm)].at(-1)?.[1]
  return nevra === undefined ? undefined : nameInNevra(nevra)
}

/** Whether a program gave up because another one holds its lock: it is asked again. */
export function isLocked(text: string): boolean {
  return /can't create \S+ lock on|System management is locked by/.test(text)
}

const telling = new RegExp(
  [
    '^(error|warning|Error|Problem): ?(?!.* (created|saved) as )',
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
  ].join('|'),
)
