// Parsing at the edge: an `unknown` from outside becomes a checked value or one clear Failure.

import * as v from 'valibot'
import { Failure } from './failure.ts'
import { limits } from './limits.ts'
import { misplacedListFinder } from './yaml/misplaced-list.ts'

export type Parser<T> = (input: unknown, where: string) => T

/**
 * Creates the one parser of a schema. The parser throws a `bad-input` Failure whose message names
 * the source of the input, the path inside it, and what was expected there.
 */
export function parserOf<S extends v.GenericSchema>(schema: S): Parser<v.InferOutput<S>> {
  const misplacedListIn = misplacedListFinder(schema)
  return (input, where) => {
    const result = v.safeParse(schema, input, { abortEarly: true })
    if (!result.success) {
      const issue = result.issues[0]
      const path = v.getDotPath(issue)
      const message = cut(`${path === null ? '' : `${path}: `}${issue.message}`)
      throw new Failure('bad-input', `${where}: ${message}`)
    }
    const list = misplacedListIn?.(input)
    if (list === undefined) return result.output
    const place = list.length === 0 ? '' : `${list.join('.')}: `
    throw new Failure('bad-input', `${where}: ${place}expected keys and values, got a list`)
  }
}

/** What a schema has against a value: the first thing, for a message. */
export function whyNot(issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string {
  return cut(issues[0].message)
}

/** The message of a schema may quote the input, however long that is. */
function cut(message: string): string {
  return message.slice(0, limits.reportTextMaxChars)
}

/**
 * Reads JSON bytes; a syntax error is a `bad-input` Failure. For text from another node, `marksMax`
 * bounds the number of commas, colons and opening brackets anywhere in it. A few bytes can stand
 * for a value that takes a hundred times the memory and a long time to check, so the marks are
 * counted first.
 */
export function parseJson(bytes: Uint8Array | string, where: string, marksMax = Number.POSITIVE_INFINITY): unknown {
  const raw = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
  if (raw.length > marksMax && hasMoreMarks(raw, marksMax)) {
    throw new Failure('bad-input', `${where}: more than ${marksMax} commas, colons and brackets`)
  }
  const text = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8').decode(bytes)
  try {
    // Keys that would reach an object's prototype are dropped.
    return mayNamePrototype.test(text)
      ? JSON.parse(text, (key, value) => (key === '__proto__' ? undefined : value))
      : JSON.parse(text)
  } catch (error) {
    throw new Failure('bad-input', `${where}: not JSON: ${(error as Error).message}`, { cause: error })
  }
}

/** Matches `__proto__` as it is, or with any of its letters escaped. */
const mayNamePrototype = /__proto__|\\u00(?:5f|6f|7[024])/i

const isMark = new Uint8Array(256)
for (const mark of ',:[{') isMark[mark.charCodeAt(0)] = 1

function hasMoreMarks(bytes: Uint8Array, max: number): boolean {
  let count = 0
  for (let at = 0; at < bytes.length; at += 1) {
    count += isMark[bytes[at] as number] as number
    if (count > max) return true
  }
  return false
}
