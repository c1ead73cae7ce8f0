// What one run gave, and files of many.

import { readFile, writeFile } from 'node:fs/promises'
import type { Counted } from './namespaces.ts'
import type { Details } from './system.ts'

export interface Measured {
  scenario: string
  system: string
  /** RFC 3339, and the commit of the sources; `+` if they had changed since. */
  at: string
  commit: string
  /** What each machine had to get. */
  bytes: number
  seconds: number
  idealSeconds: number | null
  links: Counted[]
  /** Of all cores together while it ran, between 0 and 1. */
  busy: number
  details: Details
}

/** Of earlier runs; none if there is no such file. */
export async function earlier(file: string): Promise<Measured[]> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Measured[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

export async function keep(file: string, measured: readonly Measured[]): Promise<void> {
  await writeFile(file, `[\n${measured.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`)
}
