// The store on disk: LevelDB with JSON values, every change synced before it is acknowledged.

import { statfs } from 'node:fs/promises'
import { Level } from 'level'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { readOnlyHint, spaceHint } from './disk-failure.ts'
import type { OpenStore, Store, StoreChange } from './world.ts'

type Database = Level<string, string>

/** Small, so that the daemon stays small: LevelDB's defaults are 4 MiB, 8 MiB and 1000 files. */
const databaseOptions = {
  keyEncoding: 'utf8',
  valueEncoding: 'utf8',
  writeBufferSize: 512 * 1024,
  cacheSize: 512 * 1024,
  maxOpenFiles: 64,
}

/**
 * The highest code point. No key of banyan contains it, so a prefix with it is above every key with
 * the prefix.
 */
const aboveAll = '\u{10ffff}'

/** The folders above `path` exist already. Throws `locked`, `no-space` or `disk`. */
export async function openLevelStore(path: string): Promise<OpenStore> {
  const database = new MendingDatabase(path, await openDatabase(path))
  return { ...roomAt(database, ''), close: () => database.close() }
}

/**
 * The database, and how it recovers from a write that failed. Such a write (a full disk) may leave
 * a torn record in the log, and what is acknowledged behind the tear would be lost with it. Opening
 * the database again recovers the log up to the tear and starts a new one. Until there is room for
 * that, the database stays as it is, for reading.
 */
class MendingDatabase {
  readonly #path: string
  #database: Database
  #state: 'whole' | 'torn' | 'closed' = 'whole'
  #reopening: Promise<void> | undefined

  constructor(path: string, database: Database) {
    this.#path = path
    this.#database = database
  }

  async change(work: (database: Database) => Promise<void>): Promise<void> {
    try {
      if (this.#state === 'torn') await this.#reopen()
      await work(this.#database)
    } catch (error) {
      if (this.#state === 'whole') this.#state = 'torn'
      throw failureOf(error, this.#path)
    }
  }

  async read<T>(work: (database: Database) => Promise<T>): Promise<T> {
    await this.#reopened()
    try {
      if (this.#state === 'torn' && this.#database.status !== 'open') await this.#reopen()
      return await work(this.#database)
    } catch (error) {
      throw failureOf(error, this.#path)
    }
  }

  async close(): Promise<void> {
    await this.#reopened()
    this.#state = 'closed'
    await this.#database.close()
  }

  #reopen(): Promise<void> {
    this.#reopening ??= this.#openAgain().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  async #openAgain(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#path)
    if (bavail * bsize < limits.storeRepairBytes) {
      throw new Failure('no-space', `store ${this.#path} has no room to write`, { retry: 'later', hint: spaceHint })
    }
    await this.#database.close()
    this.#database = await openDatabase(this.#path)
    if (this.#state === 'torn') this.#state = 'whole'
  }

  /**
   * Waits for a reopening under way, however it ends: the failure goes to the change that began it.
   */
  async #reopened(): Promise<void> {
    await this.#reopening?.catch(() => {})
  }
}

/** A part of the store whose keys start with the room's name. */
function roomAt(database: MendingDatabase, room: string): Store {
  const full = (key: string) => `${room}:${key}`
  const batch = async (changes: readonly StoreChange[]) => {
    const operations = changes.map((each) =>
      each.kind === 'put'
        ? { type: 'put' as const, key: full(each.key), value: jsonOf(each.value) }
        : { type: 'del' as const, key: full(each.key) },
    )
    await database.change((open) => open.batch(operations, { sync: true }))
  }
  return {
    get: async (key) => {
      const json = await database.read((open) => open.get(full(key)))
      return json === undefined ? undefined : JSON.parse(json)
    },
    put: (key, value) => batch([{ kind: 'put', key, value }]),
    delete: (key) => batch([{ kind: 'delete', key }]),
    batch,
    entries: async function* (prefix = '') {
      const start = full(prefix)
      const found = await database.read(async (open) => open.iterator({ gte: start, lt: start + aboveAll }))
      for await (const [key, json] of found) yield [key.slice(room.length + 1), JSON.parse(json)]
    },
    sub: (name) => roomAt(database, room === '' ? roomName(name) : `${room}/${roomName(name)}`),
  }
}

/** Throws a TypeError for a bad name, since only our own code names rooms. */
export function roomName(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new TypeError(`not a name for a room in a store: ${name}`)
  return name
}

/** Throws a TypeError for a value that JSON cannot express. */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value)
  if (json === undefined) throw new TypeError('a stored value must be JSON')
  return json
}

async function openDatabase(path: string): Promise<Database> {
  const database = new Level<string, string>(path, databaseOptions)
  try {
    await database.open()
    return database
  } catch (error) {
    throw failureOf(error, path)
  }
}

function failureOf(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof Failure || error instanceof TypeError) return error
  const cause = error.cause instanceof Error ? error.cause : error
  const message = `store ${path}: ${messageOf(cause)}`
  if ('code' in cause && cause.code === 'LEVEL_LOCKED') {
    return new Failure('locked', `${path} is open in another process`, {
      hint: 'is banyan already running with this folder?',
      cause: error,
    })
  }
  if ('code' in cause && cause.code === 'LEVEL_DATABASE_NOT_OPEN') {
    return new Failure('stopped', `store ${path} is closed`, { cause: error })
  }
  if (/no space left|disk quota exceeded/i.test(cause.message)) {
    return new Failure('no-space', message, { retry: 'later', hint: spaceHint, cause: error })
  }
  const hint = /read-only file system/i.test(cause.message) ? { hint: readOnlyHint } : {}
  return new Failure('disk', message, { ...hint, cause: error })
}
