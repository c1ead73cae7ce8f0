// Calls to the daemon of a home, by its local API.

import path from 'node:path'
import { Failure } from '../model/failure.ts'
import {
  type AnswerCall,
  type AnswerOf,
  type LineCall,
  type LineOf,
  type LocalCall,
  loadAnswerSchema,
  loadLineSchema,
  type TakenBy,
  type TextCall,
} from '../model/local-api/calls.ts'
import type { Readable } from '../model/local-api/readable.ts'
import { requestLocal } from '../world/local.ts'

/** What the daemon answered. */
export interface Answer<T> {
  /** As it came, for `--json`. */
  json: unknown
  /** What this version reads in it. */
  known: Readable<T>
}

/** The last line of a call has the result in one field, and no other line has that field. */
type ResultField<Call extends LineCall> = keyof LineOf<Call> & string
type ResultOf<Call extends LineCall, Field extends ResultField<Call>> = NonNullable<LineOf<Call>[Field]>

/** Throws the Failure that the daemon met, or `not-running` if there is no daemon. */
export async function ask<Call extends AnswerCall>(
  home: string,
  call: Call,
  ...[taken]: unknown extends TakenBy<Call> ? [] : [TakenBy<Call>]
): Promise<Answer<AnswerOf<Call>>> {
  const { json } = await requestLocal(requestOf(home, call, taken))
  const schema = await loadAnswerSchema[call]()
  const { readAnswer } = await import('../model/local-api/readable.ts')
  return { json, known: readAnswer(schema, json) }
}

/**
 * Passes every line on as it comes, and resolves with the result in the last line. Throws like
 * `ask`.
 */
export async function askForLines<Call extends LineCall, Field extends ResultField<Call>>(
  home: string,
  call: Call,
  taken: TakenBy<Call>,
  { result, onLine }: { result: Field; onLine: (line: Readable<LineOf<Call>>) => void },
): Promise<Answer<ResultOf<Call, Field>>> {
  const schema = await loadLineSchema[call]()
  const { readAnswer } = await import('../model/local-api/readable.ts')
  let found: Answer<ResultOf<Call, Field>> | undefined
  await requestLocal({
    ...requestOf(home, call, taken),
    onLine: (json) => {
      const answer: Answer<LineOf<Call>> = { json, known: readAnswer(schema, json) }
      const value = fieldOf(answer, result)
      if (value.json === undefined) onLine(answer.known)
      else found = value as Answer<ResultOf<Call, Field>>
    },
  })
  if (found === undefined) throw new Failure('stopped', 'the daemon went away in the middle', { retry: 'later' })
  return found
}

/** An answer that is no JSON. Throws like `ask`. */
export async function askForText(home: string, call: TextCall): Promise<string> {
  const { json } = await requestLocal(requestOf(home, call, {}))
  return String(json)
}

/** One field of an answer. */
export function fieldOf<T, Key extends keyof T & string>({ json, known }: Answer<T>, key: Key): Answer<T[Key]> {
  const fields = json as Readonly<Record<string, unknown>>
  return { json: fields[key], known: (known as Readonly<Record<string, unknown>>)[key] as Readable<T[Key]> }
}

/** The items of an answer that is a list. */
export function itemsOf<T>({ json, known }: Answer<T[]>): Answer<T>[] {
  const items: readonly unknown[] = Array.isArray(json) ? json : []
  const read = (known ?? []) as Readable<T>[]
  return read.map((each, index) => ({ json: items[index], known: each }))
}

function requestOf(
  home: string,
  call: LocalCall,
  taken: unknown,
): { path: string; method: 'GET' | 'POST'; url: string; body?: unknown } {
  const { name = '', body = {}, query = {} } = (taken ?? {}) as { name?: string; body?: unknown; query?: object }
  const [method, template] = call.split(' ') as ['GET' | 'POST', string]
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`
  return {
    path: path.join(home, 'run', 'control.sock'),
    method,
    url: `${template.replace(':name', () => encodeURIComponent(name))}${search}`,
    ...(method === 'POST' && { body }),
  }
}
