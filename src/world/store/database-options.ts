// How LevelDB is opened.

import type { Level } from 'level'

export type Database = Level<string, string>

/** Small, so that the daemon stays small: LevelDB's defaults are 4 MiB, 8 MiB and 1000 files. */
export const databaseOptions = {
  keyEncoding: 'utf8',
  valueEncoding: 'utf8',
  writeBufferSize: 512 * 1024,
  cacheSize: 512 * 1024,
  maxOpenFiles: 64,
}
