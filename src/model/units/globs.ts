// Patterns of paths, as people write them: `**/*.map`, `/var/lib/shop/**`, `docs/{en,de}/*.md`.
//
// Own code instead of Node's `matchesGlob`, which expands `{1..100000000}` and takes minutes for
// `*a*a*a*a`. Here a pattern is bounded before it is compiled, and a match takes at most as many
// steps as the path's length times the pattern's.

import * as v from 'valibot'
import { Failure } from '../failure.ts'
import { limits } from '../limits.ts'
import { lineSchema } from '../names.ts'

/** Tells whether a path matches. The path has no slash at its end. */
export type Glob = (path: string) => boolean

/**
 * `*` stands for any letters but slashes, `?` for one letter, `**` as a whole name for any number
 * of folders, `[a-z]` and `[!a-z]` for one letter, `{a,b}` for either text. A backslash takes the
 * meaning from the letter after it. Names that start with a dot are matched like all others.
 * Throws `bad-input` for a pattern that is too long or cannot be read.
 */
export function globOf(pattern: string): Glob {
  if (pattern.length > limits.globMaxChars) {
    throw badPattern(pattern, `is over ${limits.globMaxChars} characters`)
  }
  if (pattern.startsWith('!'))
    throw badPattern(pattern, 'begins with !, which no pattern here may', 'write \\! instead')
  const alternatives = alternativesIn(pattern).map((plain) => {
    const names = plain
      .replace(/^(?:\.\/)+/, '')
      .replace(/(?<=[^/\\])\/+$/, '')
      .split('/')
    // `shop/**` is what lies below `shop`, without `shop` itself.
    if (names.length > 1 && names.at(-1) === '**') names.push('*')
    return names.map((name): NamePattern => (name === '**' ? anyFolders : partsOf(name, pattern)))
  })
  return (path) => {
    const names = path.split('/')
    return alternatives.some((wanted) => matches(wanted, names, isAnyFolders, nameMatches))
  }
}

/**
 * A pattern of a whole text: its `*` and `?` stand for slashes too, and its `{` for itself. Throws
 * `bad-input`.
 */
export function textGlobOf(pattern: string): Glob {
  const parts = partsOf(pattern, pattern)
  return (text) => nameMatches(parts, text)
}

/** A pattern that `globOf` can read. */
export const globSchema = v.pipe(
  lineSchema,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    try {
      globOf(dataset.value)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      addIssue({ message: error.message })
    }
  }),
)

/** One part of a name's pattern: a star, or what one letter has to be. */
type Part = 'star' | ((letter: string) => boolean)
/** The pattern of one name of a path, or `**`. */
type NamePattern = readonly Part[] | typeof anyFolders
const anyFolders = Symbol('**')

const isAnyFolders = (pattern: NamePattern) => pattern === anyFolders

function nameMatches(pattern: NamePattern, name: string): boolean {
  if (pattern === anyFolders) return true
  return matches(
    pattern,
    [...name],
    (part) => part === 'star',
    (part, letter) => part === 'star' || part(letter),
  )
}

/**
 * Whether the items fit the pattern one by one, where a wildcard stands for any number of items.
 * Only the last wildcard is ever tried again: what came before it has matched in the shortest way.
 */
function matches<Wanted, Item>(
  pattern: readonly Wanted[],
  items: readonly Item[],
  isWildcard: (wanted: Wanted) => boolean,
  fits: (wanted: Wanted, item: Item) => boolean,
): boolean {
  let [at, item] = [0, 0]
  let retry: { at: number; item: number } | undefined
  while (item < items.length) {
    const wanted = pattern[at]
    if (wanted !== undefined && isWildcard(wanted)) {
      retry = { at: at + 1, item }
      at += 1
    } else if (wanted !== undefined && fits(wanted, items[item] as Item)) {
      at += 1
      item += 1
    } else if (retry !== undefined) {
      retry.item += 1
      at = retry.at
      item = retry.item
    } else {
      return false
    }
  }
  return pattern.slice(at).every(isWildcard)
}

function partsOf(name: string, pattern: string): Part[] {
  const parts: Part[] = []
  const letters = [...name]
  for (let at = 0; at < letters.length; at += 1) {
    const letter = letters[at] as string
    if (letter === '*') {
      if (parts.at(-1) !== 'star') parts.push('star')
    } else if (letter === '?') {
      parts.push(() => true)
    } else if (letter === '[') {
      const end = letters.indexOf(']', at + (letters[at + 1] === '!' || letters[at + 1] === '^' ? 3 : 2))
      if (end < 0) throw badPattern(pattern, 'has a [ without a ]', 'write \\[ for the letter itself')
      parts.push(letterIn(letters.slice(at + 1, end)))
      at = end
    } else {
      const plain = letter === '\\' ? letters[++at] : letter
      if (plain === undefined) throw badPattern(pattern, 'has a backslash at its end')
      parts.push((other) => other === plain)
    }
  }
  return parts
}

/** `a-z_`, or `!a-z_` for every other letter. */
function letterIn(set: readonly string[]): (letter: string) => boolean {
  const isNot = set[0] === '!' || set[0] === '^'
  const ranges: [string, string][] = []
  for (let at = isNot ? 1 : 0; at < set.length; at += 1) {
    const from = set[at] as string
    const to = set[at + 1] === '-' ? set[at + 2] : undefined
    ranges.push([from, to ?? from])
    if (to !== undefined) at += 2
  }
  return (letter) => isNot !== ranges.some(([from, to]) => from <= letter && letter <= to)
}

/** Writes out every `{a,b}`. Brackets without a comma are plain letters, as in a shell. */
function alternativesIn(pattern: string): string[] {
  const done: string[] = []
  const open = [pattern]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const found = choiceIn(next)
    if (found === undefined) done.push(next)
    else for (const choice of found.choices) open.push(`${found.before}${choice}${found.after}`)
    if (done.length + open.length > limits.globAlternativesMax) {
      throw badPattern(pattern, `stands for more than ${limits.globAlternativesMax} others`)
    }
  }
  return done
}

/** The first `{...}` with a comma of its own. */
function choiceIn(text: string): { before: string; choices: string[]; after: string } | undefined {
  const opened: { at: number; commas: number[] }[] = []
  let found: { start: number; commas: number[]; end: number } | undefined
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === '{') opened.push({ at, commas: [] })
    else if (text[at] === ',') opened.at(-1)?.commas.push(at)
    else if (text[at] === '}') {
      const { at: start, commas } = opened.pop() ?? { at: 0, commas: [] }
      // Of nested brackets the outer ones count; they close last.
      if (commas.length > 0 && (found === undefined || start < found.start)) found = { start, commas, end: at }
    }
  }
  if (found === undefined) return undefined
  const borders = [found.start, ...found.commas, found.end]
  const choices = borders.slice(1).map((border, index) => text.slice((borders[index] as number) + 1, border))
  return { before: text.slice(0, found.start), choices, after: text.slice(found.end + 1) }
}

function badPattern(pattern: string, what: string, hint?: string): Failure {
  const message = `the pattern ${JSON.stringify(pattern.slice(0, 80))} ${what}`
  return new Failure('bad-input', message, hint === undefined ? {} : { hint })
}
