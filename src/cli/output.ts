// Standard output and standard error, each written to the end before the process ends.

import type { Readable } from '../model/local-api/readable.ts'
import type { Answer } from './daemon.ts'

export function print(text: string): Promise<void> {
  return written(process.stdout, `${harmless(text)}\n`)
}

export function printJson(value: unknown): Promise<void> {
  return written(process.stdout, `${JSON.stringify(value, null, 2).replace(hidden, escaped)}\n`)
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
  return written(process.stderr, `${harmless(text)}\n`)
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

// Names and sentences in reports come from other machines, and a terminal obeys control characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point.
const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

function harmless(text: string): string {
  return text.replace(hidden, '\ufffd')
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}
