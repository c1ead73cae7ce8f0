// Patterns of paths, as rules and packages write them. Pure. The time that a match takes grows with
// the length of the path times that of the pattern, whatever either of them holds.

import * as v from 'valibot'
import { limits } from './limits.ts'
import { lineSchema } from './names.ts'

/**
 * `*` stands for anything but a slash, `?` for one such character, `**` for anything. Nothing else
 * has a meaning of its own.
 */
export const globSchema = v.pipe(
  lineSchema,
  v.minLength(1, 'expected a pattern'),
  v.maxLength(limits.globMaxChars, `a pattern of over ${limits.globMaxChars} characters`),
  v.check((glob) => !glob.split('/').includes('..'), 'a pattern without ..'),
)

/** Patterns of absolute paths on the machine. */
export const ignoredPathsSchema = v.pipe(
  v.array(
    v.pipe(
      globSchema,
      v.check(
        (glob) => glob.startsWith('/') && glob !== '/' && !/^[/*]*$/.test(glob),
        'expected a pattern of absolute paths, e.g. /var/lib/shop/**',
      ),
    ),
    'expected a list of patterns, e.g. [/var/lib/shop/**]',
  ),
  v.maxLength(limits.ignoredPathsMax, `over ${limits.ignoredPathsMax} patterns`),
)

/** Patterns of paths below the folder of a tree. */
export const ignoredInTreeSchema = v.pipe(
  v.array(
    v.pipe(
      globSchema,
      v.check(
        (glob) => !glob.startsWith('/') && !/^[/*]*$/.test(glob),
        'expected a pattern of paths inside the folder, e.g. data/**',
      ),
    ),
    'expected a list of patterns, e.g. [data/**]',
  ),
  v.maxLength(limits.ignoredPathsMax, `over ${limits.ignoredPathsMax} patterns`),
)

/** Whether a path matches one of the patterns. */
export function matcherOf(globs: readonly string[]): (path: string) => boolean {
  const compiled = globs.map(tokensOf)
  return (path) => compiled.some((tokens) => matches(tokens, path))
}

type Token = { kind: 'letter'; letter: string } | { kind: 'one' | 'some' | 'deep' } | { kind: 'folders' }

function tokensOf(glob: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < glob.length; at += 1) {
    const letter = glob[at] as string
    if (letter === '?') tokens.push({ kind: 'one' })
    else if (letter !== '*') tokens.push({ kind: 'letter', letter })
    else if (glob[at + 1] !== '*') tokens.push({ kind: 'some' })
    else {
      const begins = at === 0 || glob[at - 1] === '/'
      while (glob[at + 1] === '*') at += 1
      // `**/x` is also x itself.
      if (begins && glob[at + 1] === '/') {
        at += 1
        tokens.push({ kind: 'folders' })
      } else tokens.push({ kind: 'deep' })
    }
  }
  return tokens
}

/** Follows all ways through the pattern at once: `here[n]` says that n tokens may be used up. */
function matches(tokens: readonly Token[], path: string): boolean {
  const end = tokens.length
  let here = new Uint8Array(end + 1)
  reach(tokens, here, 0)
  for (const letter of path) {
    const next = new Uint8Array(end + 1)
    for (let at = 0; at < end; at += 1) {
      if (here[at] === 1) step(tokens, next, at, letter)
    }
    here = next
  }
  return here[end] === 1
}

function step(tokens: readonly Token[], next: Uint8Array, at: number, letter: string): void {
  const token = tokens[at] as Token
  switch (token.kind) {
    case 'letter':
      if (token.letter === letter) reach(tokens, next, at + 1)
      return
    case 'one':
      if (letter !== '/') reach(tokens, next, at + 1)
      return
    case 'some':
      if (letter !== '/') reach(tokens, next, at)
      return
    case 'deep':
      reach(tokens, next, at)
      return
    case 'folders':
      // Stays among the folders, and goes on behind a slash.
      next[at] = 1
      if (letter === '/') reach(tokens, next, at + 1)
      return
  }
}

/** Tokens that may stand for nothing are passed at once. */
function reach(tokens: readonly Token[], states: Uint8Array, from: number): void {
  for (let at = from; ; at += 1) {
    states[at] = 1
    const kind = tokens[at]?.kind
    if (kind !== 'some' && kind !== 'deep' && kind !== 'folders') return
  }
}
