// A damaged database, rebuilt: LevelDB repairs its files, what has its checksum is copied into a new
// database, and that takes the place of the damaged one, which is kept aside.
//
// <path>             the database
// <path>.rebuilding  the new one; it is complete once there is no <path>
// <path>.repairing   how often a repair was begun: one that ends the process is not tried for ever
// <path>.damaged     the damaged one of the last time

import * as fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { Level } from 'level'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { syncFolder, systemDisk } from '../disk.ts'
import { isAbsence, spaceHint } from '../disk-failure.ts'
import { type Database, databaseOptions } from './database-options.ts'
import { unsealed } from './sealed-values.ts'
import { StoreDamaged, storeErrorOf } from './store-damage.ts'

export interface Rebuilt {
  /** How many values were saved. */
  saved: number
  /** Where the damaged database is. */
  aside: string
}

/** The database is closed. Throws `no-space`, and then nothing was changed. */
export async function rebuild(path: string): Promise<Rebuilt> {
  await needRoom(path)
  const next = `${path}.rebuilding`
  const aside = `${path}.damaged`
  await fs.rm(next, { recursive: true, force: true })
  const target = new Level<string, string>(next, databaseOptions)
  await target.open()
  let saved = 0
  try {
    if (await mayRepair(path)) saved = await salvage(path, target)
    await target.put(stampKey, String(saved), { sync: true })
  } catch (error) {
    // Something is in the way that ends: the repair itself did no harm.
    await fs.rm(repairingOf(path), { force: true })
    throw storeErrorOf(error, path)
  } finally {
    await target.close()
  }
  await fs.rm(aside, { recursive: true, force: true })
  if (await isThere(path)) await fs.rename(path, aside)
  await fs.rename(next, path)
  await fs.rm(repairingOf(path), { force: true })
  await syncFolder(dirname(path))
  return { saved, aside }
}

/** After a process that ended between the two names. */
export async function finishRebuild(path: string): Promise<void> {
  const next = `${path}.rebuilding`
  if ((await isThere(path)) || !(await isThere(next))) return
  await fs.rename(next, path)
  await syncFolder(dirname(path))
}

/**
 * Why LevelDB must not open the folder: without the file that names the newest state it would begin
 * a new database there and remove the tables of the old one. Null if it may.
 */
export async function unopenableBecause(path: string): Promise<string | null> {
  const names = await namesIn(path)
  if (names === null || names.includes('CURRENT')) return null
  return names.some((name) => /^MANIFEST-|\.(ldb|sst|log)$/.test(name)) ? 'a file of it is missing' : null
}

/** No key of a room: those have a colon. */
const stampKey = '~rebuilt'

function repairingOf(path: string): string {
  return `${path}.repairing`
}

/** LevelDB has died of a repair before: the database then counts as lost. */
async function mayRepair(path: string): Promise<boolean> {
  const before = await readCount(repairingOf(path))
  if (before >= limits.storeRepairsMax) return false
  await systemDisk.write(repairingOf(path), String(before + 1))
  return (await namesIn(path)) !== null
}

async function readCount(path: string): Promise<number> {
  try {
    return Number(await fs.readFile(path, 'utf8')) || 0
  } catch (error) {
    if (isAbsence(error)) return 0
    throw error
  }
}

/** Copies all that can still be read. Returns how many values that are. */
async function salvage(path: string, target: Database): Promise<number> {
  let saved = 0
  let batch: { type: 'put'; key: string; value: string }[] = []
  for await (const [key, value] of readable(path)) {
    if (unsealed(key, value) === undefined || key === stampKey) continue
    batch.push({ type: 'put', key, value })
    saved += 1
    if (batch.length < copiedAtOnce) continue
    await target.batch(batch)
    batch = []
  }
  await target.batch(batch)
  return saved
}

/** On Node, `level` is `classic-level`, which can repair; the types say what all platforms can. */
const repairing = Level as unknown as { repair(path: string): Promise<void> }

/** Ends where the damage begins. Throws if something else is in the way, such as a full disk. */
async function* readable(path: string): AsyncGenerator<[key: string, value: string]> {
  let source: Database | undefined
  try {
    await repairing.repair(path)
    source = new Level<string, string>(path, { ...databaseOptions, createIfMissing: false })
    await source.open()
    for await (const entry of source.iterator()) yield entry
  } catch (error) {
    const meant = storeErrorOf(error, path)
    if (!(meant instanceof StoreDamaged)) throw meant
  } finally {
    await source?.close()
  }
}

const copiedAtOnce = 500

/** Room for everything twice: LevelDB writes tables anew, and so does the copy. */
async function needRoom(path: string): Promise<void> {
  const { bavail, bsize } = await fs.statfs(dirname(path))
  const neededBytes = limits.storeRepairBytes + 2 * (await bytesIn(path))
  if (bavail * bsize >= neededBytes) return
  const needed = `${Math.ceil(neededBytes / 2 ** 20)} MiB`
  throw new Failure('no-space', `the database ${path} is damaged, and its repair needs ${needed} of free space`, {
    retry: 'later',
    hint: spaceHint,
  })
}

async function bytesIn(path: string): Promise<number> {
  let bytes = 0
  for (const name of (await namesIn(path)) ?? []) {
    const stat = await fs.lstat(`${path}/${name}`)
    if (stat.isFile()) bytes += stat.size
  }
  return bytes
}

/** Null if there is no such folder. */
async function namesIn(path: string): Promise<string[] | null> {
  try {
    return await fs.readdir(path)
  } catch (error) {
    if (isAbsence(error)) return null
    throw error
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await systemDisk.stat(path)) !== undefined
}
