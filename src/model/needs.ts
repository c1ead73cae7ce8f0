// What packages need of each other, read by the words of their kinds: versions, alternatives, rich
// dependencies, and what other packages provide. The clauses come from package files, so nothing in
// them is trusted to be well formed. Pure.

import { unreachable } from './failure.ts'
import type { Kind, Manifest } from './manifest.ts'
import type { Arch } from './names.ts'
import { compareVersions } from './versions.ts'

/**
 * In which version a name is offered. `any` meets every constraint, `none` only a need without a
 * constraint.
 */
export type Offer = ({ kind: 'version'; version: string } | { kind: 'any' } | { kind: 'none' }) & OfferedBy

/** What is known of the package that offers something. A base list knows neither. */
interface OfferedBy {
  arch?: Arch
  /** Whether the package is Multi-Arch: allowed, which alone meets `name:any`. */
  isAllowed?: boolean
}

/** The offers of some packages, by the name that is offered. */
export type Offers = ReadonlyMap<string, readonly Offer[]>

/**
 * The names that a package offers, with their versions: its own name, and what its manifest says it
 * provides.
 */
export function offersOf(
  manifest: Pick<Manifest, 'kind' | 'name' | 'version' | 'provides'> & Partial<Pick<Manifest, 'arch' | 'multiArch'>>,
): [string, Offer][] {
  const { arch, multiArch } = manifest
  const by = arch === undefined ? {} : { arch, isAllowed: multiArch === 'allowed' }
  const itself: [string, Offer] = [manifest.name, { kind: 'version', version: manifest.version }]
  const all = [itself, ...(manifest.provides ?? []).map((text) => providedBy(manifest.kind, text))]
  return all.map(([name, offer]) => [name, { ...offer, ...by }])
}

/** The names that a package offers. Its own name comes first. */
export function namesOfferedBy(manifest: Manifest): string[] {
  return offersOf(manifest).map(([name]) => name)
}

/**
 * The names that a package asks for, in the order of its clauses. Of alternatives, all are named.
 */
export function namesNeededBy({ kind, depends }: Manifest): string[] {
  return depends.flatMap((clause) => namesIn(kind, clause))
}

/**
 * Reads one entry of a package's `provides`: `www-browser`, `libfoo (= 1.2)`. An entry without a
 * version meets no constraint in Debian (Policy 7.5), and every constraint in rpm.
 */
export function providedBy(kind: Kind, text: string): [string, Offer] {
  const { name, version } = relationIn(kind, text)
  if (version !== null) return [name, { kind: 'version', version }]
  return [name, { kind: kind === 'rpm' ? 'any' : 'none' }]
}

/**
 * Whether all of `offered` together meet `clause`, one entry of a manifest's `depends`. A rich
 * dependency of rpm that cannot be read counts as met: rpm itself decides about it when the package
 * is installed.
 */
export function isMet(kind: Kind, clause: string, offered: readonly Offers[]): boolean {
  const isThere = (text: string) => {
    const relation = relationIn(kind, text)
    return offered.some((offers) => offers.get(relation.name)?.some((offer) => fits(kind, relation, offer)))
  }
  switch (kind) {
    case 'deb':
      return debAlternativesIn(clause).every((alternatives) => alternatives.some(isThere))
    case 'rpm':
      return isRich(clause) ? (richly(wordsOf(clause), isThere) ?? true) : isThere(clause)
    // The `depends` of a tree are for people: nothing installs them.
    case 'tree':
      return true
    default:
      return unreachable(kind)
  }
}

/** The names that a clause asks for. Of alternatives, all are named. */
export function namesIn(kind: Kind, clause: string): string[] {
  const names: string[] = []
  const note = (text: string) => {
    const { name } = relationIn(kind, text)
    if (name !== '') names.push(name)
    return false
  }
  switch (kind) {
    case 'deb':
      debAlternativesIn(clause).flat().forEach(note)
      break
    case 'rpm':
      if (isRich(clause)) richly(wordsOf(clause), note)
      else note(clause)
      break
    case 'tree':
      break
    default:
      unreachable(kind)
  }
  return names
}

/** Whether a clause of rpm can become unmet by something that is added: `(a if b)`. */
export function isConditional(kind: Kind, clause: string): boolean {
  return kind === 'rpm' && isRich(clause) && wordsOf(clause).some((word) => word === 'if' || word === 'unless')
}

interface Relation {
  name: string
  /** Of `name:any` or `name:i386`, the part after the colon. */
  arch: string | null
  sign: string | null
  version: string | null
}

// `libjq1:any (>= 1.6) [amd64] <!nocheck>`. Only source packages should have the last two (Debian
// Policy 7.1), and they are ignored.
const debRelation =
  /^([A-Za-z0-9][A-Za-z0-9+._-]*)(?::([a-z0-9-]+))?\s*(?:\(?\s*(<<|<=|=|>=|>>|<|>)\s*([^\s)]+)\s*\)?)?\s*(?:\[[^\]]*\]\s*)?(?:<[^>]*>\s*)*$/

// `base >= 1.0`. A name of rpm ends at the first space only: `libjq.so.1()(64bit)`,
// `mvn(org.foo:bar)`.
const rpmRelation = /^(\S+)\s+(<=|=|>=|<|>)\s*(\S+)$/

/** A text that cannot be read is a name of its own, which nothing offers. */
function relationIn(kind: Kind, text: string): Relation {
  const bare = text.trim().replace(/\s+/g, ' ')
  if (kind === 'rpm') {
    const [, name, sign, version] = rpmRelation.exec(bare) ?? []
    return { name: name ?? bare, arch: null, sign: sign ?? null, version: version ?? null }
  }
  const [, name, arch, sign, version] = debRelation.exec(bare) ?? []
  return { name: name ?? bare, arch: arch ?? null, sign: sign ?? null, version: version ?? null }
}

/**
 * Every list of alternatives has to be met. There is usually one: each entry of a manifest is a
 * clause of its own.
 */
function debAlternativesIn(clause: string): string[][] {
  const lists = clause.split(',').map((part) => part.split('|').filter((text) => text.trim() !== ''))
  return lists.filter((alternatives) => alternatives.length > 0)
}

/**
 * As dpkg: `:any` is met by packages that are Multi-Arch: allowed and by no others, an architecture
 * by packages of it. Without either the offers are those for the machine's own architecture, and
 * the other values of Multi-Arch change nothing.
 */
function fitsArch({ arch }: Relation, offer: Offer): boolean {
  if (arch === null || offer.arch === undefined) return true
  if (arch === 'any') return offer.isAllowed === true
  return offer.arch === arch || offer.arch === 'all'
}

function fits(kind: Kind, relation: Relation, offer: Offer): boolean {
  const { sign, version } = relation
  if (!fitsArch(relation, offer)) return false
  if (sign === null || version === null || offer.kind === 'any') return true
  if (offer.kind === 'none') return false
  // rpm: a need that names no release is met by any release.
  const there = kind === 'rpm' && !version.includes('-') ? offer.version.replace(/-[^-]*$/, '') : offer.version
  const order = compareVersions(kind, there, version)
  switch (sign) {
    case '<<':
      return order < 0
    case '<':
      // Debian Policy 7.1: the old words for <= and >=.
      return kind === 'deb' ? order <= 0 : order < 0
    case '<=':
      return order <= 0
    case '=':
      return order === 0
    case '>=':
      return order >= 0
    case '>':
      return kind === 'deb' ? order >= 0 : order > 0
    default:
      return order > 0
  }
}

/** rpm's rich (boolean) dependencies stand in brackets. */
function isRich(clause: string): boolean {
  return clause.trimStart().startsWith('(')
}

/**
 * Brackets are words. Names have brackets of their own, `libc.so.6(GLIBC_2.4)(64bit)`: only one too
 * many is a word.
 */
function wordsOf(clause: string): string[] {
  return clause
    .trim()
    .split(/\s+/)
    .flatMap((word) => {
      const [opening = ''] = /^\(*/.exec(word) ?? []
      const rest = word.slice(opening.length)
      const surplus = rest.split(')').length - rest.split('(').length
      const name = surplus > 0 ? rest.slice(0, -surplus) : rest
      return [...opening, ...(name === '' ? [] : [name]), ...')'.repeat(Math.max(0, surplus))]
    })
}

/** Brackets within brackets that are read. People write two or three; each takes room on the stack. */
const richDepthMax = 64

/**
 * Asks `isThere` for every part, so that the caller sees all names. Undefined if the words cannot
 * be read.
 */
function richly(words: string[], isThere: (text: string) => boolean, depth = richDepthMax): boolean | undefined {
  if (depth === 0) return undefined
  const [first] = words
  if (first === undefined) return undefined
  if (first !== '(') {
    const end = words.findIndex((word) => word === ')' || operators.has(word))
    return isThere(words.splice(0, end < 0 ? words.length : end).join(' '))
  }
  words.shift()
  let holds = richly(words, isThere, depth - 1)
  for (let word = words.shift(); word !== ')'; word = words.shift()) {
    const next = word !== undefined && operators.has(word) ? richly(words, isThere, depth - 1) : undefined
    if (word === undefined || holds === undefined || next === undefined) return undefined
    if (word === 'or') holds = holds || next
    else if (word === 'and' || word === 'with') holds = holds && next
    else if (word === 'if' || word === 'unless') {
      const applies = word === 'if' ? next : !next
      const hasElse = words[0] === 'else'
      if (hasElse) words.shift()
      const otherwise = hasElse ? richly(words, isThere, depth - 1) : true
      if (otherwise === undefined) return undefined
      holds = applies ? holds : otherwise
    }
    // Offers are seen one by one, so `without` takes nothing away.
  }
  return holds
}

const operators = new Set(['and', 'or', 'if', 'unless', 'else', 'with', 'without'])
