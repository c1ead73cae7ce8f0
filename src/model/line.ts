// Text from elsewhere, as a terminal, a log and a message can take it: the only place that says which
// characters are kept. Whoever wrote the text may want to forge a line, or to command the reader's
// terminal.

import { limits } from './limits.ts'

/**
 * Controls, what turns the direction of writing, what has no width, line and paragraph separators,
 * halves of characters, and tags.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u
const everyUnseen = new RegExp(`${unseen.source}+`, 'gu')
const everyUnseenInLine = new RegExp(`(?![\\n\\t])${unseen.source}`, 'gu')

/** One line of at most `maxChars` characters. */
export function lineOf(text: string, maxChars: number = limits.textMaxChars): string {
  return text.replace(everyUnseen, ' ').slice(0, maxChars)
}

/** What a terminal gets: line feeds and tabs stay, which are the program's own. */
export function shownOf(text: string): string {
  return text.replace(everyUnseenInLine, '\ufffd')
}

/** The same for JSON, which stays JSON. */
export function shownJson(json: string): string {
  return json.replace(everyUnseenInLine, escaped)
}

/** One line in which what is not kept is written out, for logs. */
export function writtenOut(text: string): string {
  return text.replace(/[\p{C}\u2028\u2029]/gu, (control) => `\\u{${control.codePointAt(0)?.toString(16)}}`)
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
