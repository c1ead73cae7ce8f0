// Calls to the daemon of a home.

import path from 'node:path'
import { Failure } from '../model/failure.ts'
import { requestLocal } from '../world/local.ts'
import { type Fields, fieldsOf } from './text/fields.ts'

/** Throws the Failure that the daemon met, `not-running` if there is none. */
export async function ask(home: string, method: 'GET' | 'POST', url: string, body?: unknown): Promise<Fields> {
  const { json } = await requestLocal({ path: socketOf(home), method, url, ...(body !== undefined && { body }) })
  return fieldsOf(json)
}

/** Hands every line on as it comes, and resolves with the field `last` of the line that has it. */
export async function askForLines(
  home: string,
  url: string,
  body: unknown,
  last: string,
  onLine: (line: Fields) => void,
): Promise<unknown> {
  let found: { value: unknown } | undefined
  await requestLocal({
    path: socketOf(home),
    method: 'POST',
    url,
    body,
    onLine: (json) => {
      const line = fieldsOf(json)
      if (last in line) found = { value: line[last] }
      else onLine(line)
    },
  })
  if (found === undefined) throw new Failure('stopped', 'the daemon went away in the middle', { retry: 'later' })
  return found.value
}

/** An answer that is no JSON. */
export async function askForText(home: string, url: string): Promise<string> {
  const { json } = await requestLocal({ path: socketOf(home), method: 'GET', url })
  return String(json)
}

function socketOf(home: string): string {
  return path.join(home, 'run', 'control.sock')
}
