// Package files for tests are built once and kept below node_modules/.cache: building one starts
// some twenty programs.

import { hash } from 'node:crypto'
import * as fs from 'node:fs'
import path from 'node:path'

const cache = path.join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'banyan', 'packages')

/**
 * Puts at `file` what `build` makes at the path that it is given. `source` holds everything that
 * the result depends on; a result that was built from the same source before is copied instead.
 */
export function builtOnce(file: string, source: unknown, build: (file: string) => void): void {
  const kept = path.join(cache, hash('sha256', JSON.stringify(source), 'hex'))
  if (!fs.existsSync(kept)) {
    fs.mkdirSync(cache, { recursive: true })
    const folder = fs.mkdtempSync(`${kept}-`)
    build(path.join(folder, 'built'))
    // Tests in other processes may build the same at the same time: the last one stays, and no one
    // reads half of it.
    fs.renameSync(path.join(folder, 'built'), kept)
    fs.rmSync(folder, { recursive: true })
  }
  fs.copyFileSync(kept, file)
}
