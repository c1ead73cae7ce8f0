// The ways in which the folder of a database gets damaged.

import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** By name. Each expects the folder of a closed database, and the ways of tables one with tables. */
export const damages: Readonly<Record<string, (folder: string) => void>> = {
  'CURRENT is missing': (folder) => rmSync(join(folder, 'CURRENT')),
  'CURRENT is empty': (folder) => writeFileSync(join(folder, 'CURRENT'), ''),
  'CURRENT is garbage': (folder) => writeFileSync(join(folder, 'CURRENT'), '\0\x01garbage\n'),
  'MANIFEST is missing': (folder) => each(folder, /^MANIFEST-/, (file) => rmSync(file)),
  'MANIFEST is cut': (folder) => each(folder, /^MANIFEST-/, (file) => truncateSync(file, 12)),
  'MANIFEST has a flipped bit': (folder) => each(folder, /^MANIFEST-/, (file) => flip(file, 0.4)),
  'a table has a flipped bit': (folder) => newest(folder, /\.ldb$/, (file) => flip(file, 0.5)),
  'a table has flipped bits all over': (folder) =>
    each(folder, /\.ldb$/, (file) => {
      for (let at = 0.02; at < 1; at += 0.05) flip(file, at)
    }),
  'a table is cut': (folder) => newest(folder, /\.ldb$/, (file) => truncateSync(file, 1000)),
  'a table is missing': (folder) => newest(folder, /\.ldb$/, (file) => rmSync(file)),
  'all tables are empty': (folder) => each(folder, /\.ldb$/, (file) => truncateSync(file, 0)),
  'the log has a flipped bit': (folder) => newest(folder, /\.log$/, (file) => flip(file, 0.5)),
  'the log is cut': (folder) => newest(folder, /\.log$/, (file) => truncateSync(file, readFileSync(file).length >> 1)),
  'the log is missing': (folder) => newest(folder, /\.log$/, (file) => rmSync(file)),
  'the whole folder is missing': (folder) => rmSync(folder, { recursive: true }),
  'the folder is empty': (folder) => each(folder, /./, (file) => rmSync(file)),
  'the folder is a file': (folder) => {
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'no folder')
  },
  'LOCK is left by a process that died': (folder) => writeFileSync(join(folder, 'LOCK'), '4194304'),
}

function each(folder: string, pattern: RegExp, damage: (file: string) => void): void {
  for (const name of readdirSync(folder).sort()) if (pattern.test(name)) damage(join(folder, name))
}

function newest(folder: string, pattern: RegExp, damage: (file: string) => void): void {
  const name = readdirSync(folder)
    .filter((each) => pattern.test(each))
    .sort()
    .at(-1)
  if (name !== undefined) damage(join(folder, name))
}

function flip(file: string, at: number): void {
  if (!existsSync(file)) return
  const bytes = readFileSync(file)
  const index = Math.floor(bytes.length * at)
  bytes[index] = (bytes[index] ?? 0) ^ 0x10
  writeFileSync(file, bytes)
}
