// Whether what a package needs of others is there, by the words of its kind: versions, alternatives, what is provided. Pure.

import { unreachable } from '../model/failure.ts'
import type { Kind, Manifest } from '../model/manifest.ts'
import { compareVersions } from '../model/versions.ts'

/** In which version something is there. `any` meets every constraint, `none` only a need without one. */
export type Offer = { kind: 'version'; version: string } | { kind: 'any' } | { kind: 'none' }

/** By what it is called. */
export type Offers = ReadonlyMap<string, readonly Offer[]>

/** What a package is good for to others: itself, and what it provides as far as its manifest says so. */
export function offersOf(manifest: Pick<Manifest, 'kind' | 'name' | 'version' | 'provides'>): [string, Offer][] {
  const own: [string, Offer] = [manifest.name, { kind: 'version', version: manifest.version }]
  return [own, ...(manifest.provides ?? []).map((text) => providedBy(manifest.kind, text))]
}

/** `www-browser`, `libfoo (= 1.2)`. Debian: what has no version meets no constraint; rpm: it meets all of them. */
export function providedBy(kind: Kind, text: string): [string, Offer] {
  const { name, version } = relationIn(text)
  if (version !== null) return [name, { kind: 'version', version }]
  return [name, { kind: kind === 'rpm' ? 'any' : 'none' }]
}

/** Of all `offered` together. `clause` is one of a manifest's `depends`. What cannot be read counts as met. */
export function isMet(kind: Kind, clause: string, offered: readonly Offers[]): boolean {
  const isThere = (text: string) => {
    const relation = relationIn(text)
    return offered.some((offers) => offers.get(relation.name)?.some((offer) => fits(kind, relation, offer)))
  }
  switch (kind) {
    case 'deb':
      return clause.split('|').some(isThere)
    case 'rpm':
      return clause.startsWith('(') ? (richly(wordsOf(clause), isThere) ?? true) : isThere(clause)
    // Its `depends` are for people: nothing installs them.
    case 'tree':
      return true
    default:
      return unreachable(kind)
  }
}

/** What a clause asks for, each by its name; of alternatives all. */
export function namesIn(kind: Kind, clause: string): string[] {
  const names: string[] = []
  const note = (text: string) => {
    names.push(relationIn(text).name)
    return false
  }
  if (kind === 'deb') clause.split('|').forEach(note)
  else if (clause.startsWith('(')) richly(wordsOf(clause), note)
  else note(clause)
  return names
}

interface Relation {
  name: string
  sign: string | null
  version: string | null
}

/** `libjq1:any (>= 1.6)` of Debian, `base >= 1.0` of rpm. */
function relationIn(text: string): Relation {
  const [, name, sign, version] =
    /^\s*(\S+?)(?::[a-z0-9-]+)?\s+\(?\s*(<<|<=|=|>=|>>|<|>)\s*([^\s)]+)\)?\s*$/.exec(text) ?? []
  if (name !== undefined && sign !== undefined && version !== undefined) return { name, sign, version }
  const bare = text.trim()
  return {
    name: /^[a-z0-9][a-z0-9+.-]*:[a-z0-9-]+$/.test(bare) ? (bare.split(':')[0] ?? bare) : bare,
    sign: null,
    version: null,
  }
}

function fits(kind: Kind, { sign, version }: Relation, offer: Offer): boolean {
  if (sign === null || version === null || offer.kind === 'any') return true
  if (offer.kind === 'none') return false
  // rpm: a need that names no release is met by any.
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

/** Names have brackets of their own, `libc.so.6(GLIBC_2.4)(64bit)`; one too many closes what is around. */
function wordsOf(clause: string): string[] {
  return clause.split(/\s+/).flatMap((word) => {
    const [opening = ''] = /^\(*/.exec(word) ?? []
    const rest = word.slice(opening.length)
    const surplus = rest.split(')').length - rest.split('(').length
    const name = surplus > 0 ? rest.slice(0, -surplus) : rest
    return [...opening, ...(name === '' ? [] : [name]), ...')'.repeat(Math.max(0, surplus))]
  })
}

/** rpm's rich dependencies. Asks `isThere` for every part, so that it sees all names. Undefined if it cannot be read. */
function richly(words: string[], isThere: (text: string) => boolean): boolean | undefined {
  const [first] = words
  if (first === undefined) return undefined
  if (first !== '(') {
    const end = words.findIndex((word) => word === ')' || operators.has(word))
    return isThere(words.splice(0, end < 0 ? words.length : end).join(' '))
  }
  words.shift()
  let holds = richly(words, isThere)
  for (let word = words.shift(); word !== ')'; word = words.shift()) {
    const next = word !== undefined && operators.has(word) ? richly(words, isThere) : undefined
    if (word === undefined || holds === undefined || next === undefined) return undefined
    if (word === 'or') holds = holds || next
    else if (word === 'and' || word === 'with') holds = holds && next
    else if (word === 'if' || word === 'unless') {
      const applies = word === 'if' ? next : !next
      const hasElse = words[0] === 'else'
      if (hasElse) words.shift()
      const otherwise = hasElse ? richly(words, isThere) : true
      if (otherwise === undefined) return undefined
      holds = applies ? holds : otherwise
    }
    // What `without` takes away cannot be told from offers one by one.
  }
  return holds
}

const operators = new Set(['and', 'or', 'if', 'unless', 'else', 'with', 'without'])
