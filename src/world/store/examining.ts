// Whether a database that nobody has open is damaged. It is not changed: LevelDB writes when it
// opens, so a copy is opened, whose tables are links.

import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { limits } from '../../model/limits.ts'
import { type Database, databaseOptions } from './database-options.ts'
import { unsealed } from './sealed-values.ts'
import { StoreDamaged, storeErrorOf } from './store-damage.ts'

/**
 * What is wrong with the database, in words for a person; null if nothing is. The values of a large
 * one are not read. Throws `disk` or `no-space` if it cannot be examined.
 */
export async function damageOfDatabase(path: string): Promise<string | null> {
  const copy = `${path}.examined-${process.pid}`
  try {
    const names = await fs.readdir(path)
    if (!names.includes('CURRENT')) return 'a file of it is missing'
    const bytes = await copied(path, copy)
    await readThrough(copy, bytes <= limits.storeExaminedBytes)
    return null
  } catch (error) {
    const meant = storeErrorOf(error, path)
    if (meant instanceof StoreDamaged) return meant.because
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return 'there is a file where its folder belongs'
    throw meant
  } finally {
    await fs.rm(copy, { recursive: true, force: true })
  }
}

/** Returns the size of the database. */
async function copied(path: string, copy: string): Promise<number> {
  await fs.rm(copy, { recursive: true, force: true })
  await fs.mkdir(copy)
  let bytes = 0
  for (const name of await fs.readdir(path)) {
    const [from, to] = [join(path, name), join(copy, name)]
    const stat = await fs.lstat(from)
    if (!stat.isFile() || name === 'LOCK') continue
    bytes += stat.size
    // A table never changes once it is written. All else does.
    if (/\.(ldb|sst)$/.test(name)) await fs.link(from, to)
    else await fs.copyFile(from, to)
  }
  return bytes
}

async function readThrough(path: string, withValues: boolean): Promise<void> {
  const database: Database = new Level<string, string>(path, { ...databaseOptions, createIfMissing: false })
  await database.open()
  try {
    if (!withValues) return
    for await (const [key, value] of database.iterator()) {
      if (key.includes(':') && unsealed(key, value) === undefined) throw new StoreDamaged('a value of it is changed')
    }
  } finally {
    await database.close()
  }
}
