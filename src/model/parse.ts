// Parsing at the edge: what comes in as `unknown` leaves as a checked value or as one clear Failure.

import * as v from 'valibot'
import { Failure } from './failure.ts'

export type Parser<T> = (input: unknown, where: string) => T

/**
 * Makes the one parser of a schema. The parser throws a `bad-input` Failure whose message names where the input came
 * from, the path inside it and what was expected there.
 */
export function parserOf<S extends v.GenericSchema>(schema: S): Parser<v.InferOutput<S>> {
  return (input, where) => {
    const result = v.safeParse(schema, input, { abortEarly: true })
    if (result.success) return result.output
    const issue = result.issues[0]
    const path = v.getDotPath(issue)
    throw new Failure('bad-input', `${where}: ${path === null ? '' : `${path}: `}${issue.message}`)
  }
}

/** JSON bytes to a value; a syntax error is a `bad-input` Failure. */
export function parseJson(bytes: Uint8Array | string, where: string): unknown {
  const text = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8').decode(bytes)
  try {
    // Keys that would reach an object's prototype are dropped, whoever sent them.
    return JSON.parse(text, (key, value) => (key === '__proto__' ? undefined : value))
  } catch (error) {
    throw new Failure('bad-input', `${where}: not JSON: ${(error as Error).message}`, { cause: error })
  }
}
