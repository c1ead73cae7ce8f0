// The version of this program.

import { readFileSync } from 'node:fs'

/** From package.json. */
export function programVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
