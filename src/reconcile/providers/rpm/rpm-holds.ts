// The rpm packages that the administrator of a machine holds: by dnf's versionlock and excludes, or
// by zypper's locks. Each way holds for every front end. Pure.

import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { PackageName, PackageVersion } from '../../../model/names.ts'
import { archOfRpm } from '../../../model/rpm.ts'
import { type Glob, globOf } from '../../../model/units/globs.ts'
import type { Actual } from '../../actual.ts'
import { type RpmSettings, wordsIn } from './rpm-settings.ts'
import { nameInNevra } from './rpm-text.ts'

/** One line or paragraph by which packages are held. */
export interface Hold {
  /** The versions of a package that it is about. Undefined if it is not about the package. */
  about(name: PackageName): 'all' | { versions: string; except: boolean } | undefined
  /** What lifts it. */
  lift(name: PackageName): string
  /**
   * What happens to an installed package. `stays`: it is left as it is if its version is one that the
   * hold is about. `goes-on`: dnf's locks are only about what comes; a lock to a version keeps the
   * package from being removed, too.
   */
  installed: 'stays' | 'goes-on'
}

/** What the administrator wants of one package. */
export type HeldBy = Pick<Actual, 'held' | 'bar'> & { lift: string }

/** The files that list held packages, below the target root, and how each is read. */
export const holdFiles: Readonly<Record<string, (text: string, native: string) => Hold[]>> = {
  'etc/dnf/plugins/versionlock.list': locksOfDnf,
  'etc/yum/pluginconf.d/versionlock.list': locksOfDnf,
  'etc/dnf/versionlock.toml': locksOfDnf5,
  'etc/zypp/locks': locksOfZypper,
}

/** The packages that dnf's own settings leave out. */
export function excludesIn({ dnf }: Pick<RpmSettings, 'dnf'>, native: string): Hold[] {
  const excluded = wordsIn(dnf.get('excludepkgs')).map((pattern): Hold => {
    const lift = () => `take ${pattern} out of excludepkgs in /etc/dnf/dnf.conf`
    return { about: (name: PackageName) => fittingIn(pattern, name, native), lift, installed: 'stays' }
  })
  const included = wordsIn(dnf.get('includepkgs'))
  if (included.length === 0) return excluded
  const about = (name: PackageName) =>
    included.some((pattern) => fittingIn(pattern, name, native) !== undefined) ? undefined : ('all' as const)
  const lift = (name: PackageName) => `add ${name} to includepkgs in /etc/dnf/dnf.conf`
  return [...excluded, { about, lift, installed: 'stays' }]
}

/**
 * What the holds say about a package, of which this version is installed. Undefined if they leave it
 * alone.
 */
export function heldBy(
  holds: readonly Hold[],
  name: PackageName,
  installed: PackageVersion | undefined,
): HeldBy | undefined {
  const about = holds.flatMap((hold) => {
    const what = hold.about(name)
    return what === undefined ? [] : [{ hold, what }]
  })
  const firm = about.find(({ hold, what }) => {
    if (what === 'all') return true
    if (installed === undefined || hold.installed === 'goes-on') return false
    return globFor(what.versions)(installed) !== what.except
  })
  if (firm !== undefined) return { held: true, lift: firm.hold.lift(name) }
  const barring = about.flatMap(({ hold, what }) => (what === 'all' ? [] : [{ hold, ...what }]))
  // Several locks of one package let each of their versions pass.
  const except = barring.some((one) => one.except)
  const [first, ...others] = barring.filter((one) => one.except === except)
  if (first === undefined) return undefined
  const versions = others.length === 0 ? first.versions : `{${[first, ...others].map((one) => one.versions).join(',')}}`
  const lift = first.hold.lift(name)
  // More locks than one pattern has room for are not told apart.
  if (versions.length > limits.globMaxChars) return { held: true, lift }
  const isKept = except && first.hold.installed === 'goes-on'
  return { held: false, bar: { versions, except, ...(isKept && { removal: true }) }, lift }
}

/** The same, of an installed package that dnf protects from removal. `by` is what says so. */
export function sparedBy(hold: HeldBy | undefined, by: string | undefined, name: PackageName): HeldBy | undefined {
  if (by === undefined || hold?.held) return hold
  const bar = { ...(hold?.bar ?? noVersion), removal: true as const }
  return { held: false, bar, lift: hold?.lift ?? `take ${name} out of ${by}` }
}

/** A pattern that no version fits. */
const noVersion = { versions: '-', except: false }

/** `bash-0:5.1-1.fc40.*` locks a package to a version; `!bash-…` only excludes the version. */
function locksOfDnf(text: string, native: string): Hold[] {
  return linesOf(text).map((line): Hold => {
    const isExclude = line.startsWith('!')
    // yum wrote the epoch first.
    const pattern = line.replace(/^!/, '').replace(/^(\d+):(.+)-([^-]+-[^-]+)$/, '$2-$1:$3')
    const lift = () => `dnf versionlock delete '${nameInNevra(pattern)}'`
    if (isExclude) return { about: (name) => fittingIn(pattern, name, native), lift, installed: 'goes-on' }
    const own = nameInNevra(pattern)
    const isFor = globFor(own)
    const evr = pattern.slice(own.length + 1)
    const about = (name: PackageName) => {
      if (!isFor(name) || (evr !== '' && isForeign(evr, native))) return undefined
      return evr === '' ? 'all' : { versions: versionsFor(evr), except: true }
    }
    return { about, lift, installed: 'goes-on' }
  })
}

/** Tables of TOML. Each locks a package by conditions on its version. */
function locksOfDnf5(text: string): Hold[] {
  return text.split(/^[^\S\n]*\[\[packages\]\][^\S\n]*$/m).flatMap((table): Hold[] => {
    const textOf = (key: string, of: string) =>
      new RegExp(`^[^\\S\\n]*${key}[^\\S\\n]*=[^\\S\\n]*["']([^"']*)["']`, 'm').exec(of)?.[1]
    const name = textOf('name', table)
    if (name === undefined) return []
    const isFor = globFor(name)
    const [only, ...more] = table.split(/^[^\S\n]*\[\[packages\.conditions\]\][^\S\n]*$/m).slice(1)
    const evr =
      only !== undefined && more.length === 0 && textOf('key', only) === 'evr' ? textOf('value', only) : undefined
    const comparator = only === undefined ? undefined : textOf('comparator', only)
    const isOne = evr !== undefined && (comparator === '=' || comparator === '!=')
    const about = (one: PackageName) => {
      if (!isFor(one)) return undefined
      return isOne ? { versions: withoutEpoch0(evr), except: comparator === '=' } : 'all'
    }
    return [{ about, lift: () => `dnf versionlock delete '${name}'`, installed: 'goes-on' }]
  })
}

/** Paragraphs of `key: value` lines. Only locks of the type package, for any repository, hold one. */
function locksOfZypper(text: string): Hold[] {
  return text.split(/\n\s*\n/).flatMap((paragraph): Hold[] => {
    const lines = linesOf(paragraph)
    const valuesOf = (key: string) =>
      lines.flatMap((line) => (line.startsWith(`${key}:`) ? [line.slice(key.length + 1).trim()] : []))
    const [type = 'package'] = valuesOf('type')
    if (type !== 'package' || valuesOf('repo').length > 0) return []
    const [version] = valuesOf('version')
    const [, sign = '', evr = ''] = /^(==|!=|<=|>=|<|>)\s*(\S+)$/.exec(version ?? '') ?? []
    const isOne = sign === '==' || sign === '!='
    const [how = 'glob'] = valuesOf('match_type')
    const [isExactCase = 'on'] = valuesOf('case_sensitive')
    return valuesOf('solvable_name').map((name) => {
      const isFor = matcherFor(name, how, isExactCase !== 'off')
      const about = (one: PackageName) => {
        if (!isFor(one)) return undefined
        // Which versions a range would let pass is not worked out: it holds them all.
        return isOne ? { versions: withoutEpoch0(evr), except: sign === '!=' } : ('all' as const)
      }
      const word = version === undefined ? name : `${name} ${version}`
      return { about, lift: () => `zypper removelock '${word}'`, installed: 'stays' }
    })
  })
}

/**
 * The versions that a pattern of dnf fits. dnf compares it with a package's name, and with the name
 * followed by version, release and architecture.
 */
function fittingIn(pattern: string, name: PackageName, native: string): ReturnType<Hold['about']> {
  if (isForeign(pattern, native)) return undefined
  if (globFor(pattern)(name) || globFor(withoutArch(pattern))(name)) return 'all'
  const rest = pattern.startsWith(`${name}-`) ? pattern.slice(name.length + 1) : undefined
  return rest === undefined ? undefined : { versions: versionsFor(rest), except: false }
}

/** A version stands for all its releases, and without an epoch for all epochs. */
function versionsFor(evr: string): string {
  // The star at the end of `2.*` may be an architecture, or belong to the version.
  const texts = archIn(evr) === '*' && !evr.includes(':') ? [evr, withoutArch(evr)] : [withoutArch(evr)]
  const all = texts.flatMap((text) => {
    const plain = withoutEpoch0(text)
    const released = plain.includes('-') ? [plain] : [plain, `${plain}-*`]
    return text.includes(':') ? released : [...released, ...released.map((one) => `*:${one}`)]
  })
  return all.length === 1 ? (all[0] as string) : `{${all.join(',')}}`
}

function withoutEpoch0(version: string): string {
  return version.replace(/^0:/, '')
}

/** Without the architecture at its end, or a star in its place. */
function withoutArch(pattern: string): string {
  const arch = archIn(pattern)
  return arch === undefined ? pattern : pattern.slice(0, -arch.length - 1)
}

/** Whether a pattern is for packages of another architecture alone, as `*.i686` often is. */
function isForeign(pattern: string, native: string): boolean {
  const arch = archIn(pattern)
  return arch !== undefined && arch !== '*' && arch !== 'noarch' && archOfRpm(arch) !== archOfRpm(native)
}

function archIn(pattern: string): string | undefined {
  const arch = pattern.slice(pattern.lastIndexOf('.') + 1)
  return pattern.includes('.') && (arch === '*' || archOfRpm(arch) !== undefined) ? arch : undefined
}

function matcherFor(text: string, how: string, isExactCase: boolean): Glob {
  const folded = (word: string) => (isExactCase ? word : word.toLowerCase())
  switch (how) {
    case 'exact':
      return (name) => folded(name) === folded(text)
    case 'substring':
    case 'word':
      return (name) => folded(name).includes(folded(text))
    case 'regex':
      return regexFor(text, isExactCase)
    default: {
      const glob = globFor(folded(text))
      return (name) => glob(folded(name))
    }
  }
}

function regexFor(text: string, isExactCase: boolean): Glob {
  try {
    const regex = new RegExp(text, isExactCase ? '' : 'i')
    return (name) => regex.test(name)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return (name) => name === text
  }
}

/** A pattern that cannot be read stands for itself. */
function globFor(pattern: string): Glob {
  try {
    return globOf(pattern)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return (text) => text === pattern
  }
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('#'))
}
