// Standard output and standard error, each written to the end before the process ends.

import { shownJson, shownOf } from '../model/line.ts'
import type { Readable } from '../model/local-api/readable.ts'
import type { Answer } from './daemon.ts'

export function print(text: string): Promise<void> {
  return written(process.stdout, `${shownOf(text)}\n`)
}

export function printJson(value: unknown): Promise<void> {
  return written(process.stdout, `${shownJson(JSON.stringify(value, null, 2))}\n`)
}

/** Prints what the daemon answered: as it came with `--json`, otherwise as text for a person. */
export function show<T>(
  { json, known }: Answer<T>,
  isJson: boolean,
  textOf: (known: Readable<T>) => string,
): Promise<void> {
  return isJson ? printJson(json) : print(textOf(known))
}

export function note(text: string): Promise<void> {
  return written(process.stderr, `${shownOf(text)}\n`)
}

/** Ends the process once the reader of its output has closed the pipe, as `head` does. */
export function endQuietlyWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit()
    })
  }
}

function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}
