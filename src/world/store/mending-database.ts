// The open database, and how it recovers: from a write that failed, and from damage.

import { statfs } from 'node:fs/promises'
import { Level } from 'level'
import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { spaceHint } from '../disk-failure.ts'
import type { StoreDamage } from '../world.ts'
import { type Database, databaseOptions } from './database-options.ts'
import { finishRebuild, rebuild, unopenableBecause } from './rebuilding.ts'
import { StoreDamaged, storeErrorOf } from './store-damage.ts'

export type OnDamaged = (damage: StoreDamage) => void

/**
 * A write that failed (a full disk) may leave a torn record in the log, and what is acknowledged
 * behind the tear would be lost with it. Opening the database again recovers the log up to the tear
 * and starts a new one. Until there is room for that, the database stays as it is, for reading.
 *
 * A database that is damaged is rebuilt, also while it is open: what can be read of it stays.
 */
export class MendingDatabase {
  readonly #path: string
  readonly #onDamaged: OnDamaged
  #database: Database
  #state: 'whole' | 'torn' | 'closed' = 'whole'
  #reopening: Promise<void> | undefined
  #rebuilds = 0

  constructor(path: string, database: Database, onDamaged: OnDamaged) {
    this.#path = path
    this.#database = database
    this.#onDamaged = onDamaged
  }

  async change(work: (database: Database) => Promise<void>): Promise<void> {
    const rebuilds = this.#rebuilds
    try {
      await this.#reopened()
      if (this.#state === 'torn') await this.#reopen(() => this.#openAgain())
      await work(this.#database)
    } catch (error) {
      const meant = storeErrorOf(error, this.#path)
      const isCorrupt = meant instanceof StoreDamaged || rebuilds !== this.#rebuilds
      if (isCorrupt && (await this.#isRebuilt(meant, rebuilds))) return await this.#again(work)
      if (this.#state === 'whole') this.#state = 'torn'
      throw failureFor(meant, this.#path)
    }
  }

  async read<T>(work: (database: Database) => Promise<T>): Promise<T> {
    const rebuilds = this.#rebuilds
    await this.#reopened()
    try {
      if (this.#state === 'torn' && this.#database.status !== 'open') await this.#reopen(() => this.#openAgain())
      return await work(this.#database)
    } catch (error) {
      const meant = storeErrorOf(error, this.#path)
      if (await this.#isRebuilt(meant, rebuilds)) return await this.#again(work)
      throw failureFor(meant, this.#path)
    }
  }

  /** Whether the work that met this error can be tried again, with a database that is whole. */
  isRebuilt(error: unknown, rebuilds: number): Promise<boolean> {
    return this.#isRebuilt(storeErrorOf(error, this.#path), rebuilds)
  }

  failureFor(error: unknown): unknown {
    return failureFor(storeErrorOf(error, this.#path), this.#path)
  }

  /** Grows with each rebuild, which ends whatever walks through the entries. */
  get rebuilds(): number {
    return this.#rebuilds
  }

  async close(): Promise<void> {
    await this.#reopened()
    this.#state = 'closed'
    await this.#database.close()
  }

  async #again<T>(work: (database: Database) => Promise<T>): Promise<T> {
    try {
      return await work(this.#database)
    } catch (error) {
      throw failureFor(storeErrorOf(error, this.#path), this.#path)
    }
  }

  async #isRebuilt(error: unknown, rebuilds: number): Promise<boolean> {
    await this.#reopened()
    if (this.#state === 'closed') return false
    if (rebuilds !== this.#rebuilds) return true
    if (!(error instanceof StoreDamaged) || this.#rebuilds >= limits.storeRebuildsMax) return false
    await this.#reopen(() => this.#rebuild(error))
    return true
  }

  #reopen(work: () => Promise<void>): Promise<void> {
    this.#reopening ??= work().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  async #openAgain(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#path)
    if (bavail * bsize < limits.storeRepairBytes) {
      throw new Failure('no-space', `the database ${this.#path} has no room to write`, {
        ...{ retry: 'later', hint: spaceHint },
      })
    }
    await this.#database.close()
    this.#database = await openDatabase(this.#path)
    if (this.#state === 'torn') this.#state = 'whole'
  }

  async #rebuild(damage: StoreDamaged): Promise<void> {
    await this.#database.close()
    try {
      this.#onDamaged(await rebuilt(this.#path, damage))
      this.#rebuilds += 1
    } finally {
      this.#database = await openDatabase(this.#path)
    }
  }

  /**
   * Waits for a reopening under way, however it ends: the failure goes to the change that began it.
   */
  async #reopened(): Promise<void> {
    await this.#reopening?.catch(() => {})
  }
}

/**
 * Opens the database, rebuilt if it is damaged. Throws `locked`, `no-space` or `disk`, and has then
 * left it as it was.
 */
export async function openMending(path: string, onDamaged: OnDamaged): Promise<MendingDatabase> {
  try {
    await finishRebuild(path)
    return new MendingDatabase(path, await openSound(path, onDamaged), onDamaged)
  } catch (error) {
    throw failureFor(storeErrorOf(error, path), path)
  }
}

async function openSound(path: string, onDamaged: OnDamaged): Promise<Database> {
  const damage = await damageOnOpening(path)
  if (!(damage instanceof StoreDamaged)) return damage
  onDamaged(await rebuilt(path, damage))
  return await openDatabase(path)
}

async function damageOnOpening(path: string): Promise<Database | StoreDamaged> {
  const because = await unopenableBecause(path)
  if (because !== null) return new StoreDamaged(because)
  try {
    return await openDatabase(path)
  } catch (error) {
    const meant = storeErrorOf(error, path)
    if (meant instanceof StoreDamaged) return meant
    throw meant
  }
}

async function rebuilt(path: string, damage: StoreDamaged): Promise<StoreDamage> {
  const { because } = damage
  return { because, detail: messageOf(damage.cause ?? ''), ...(await rebuild(path)) }
}

async function openDatabase(path: string): Promise<Database> {
  const database = new Level<string, string>(path, databaseOptions)
  await database.open()
  return database
}

function failureFor(error: unknown, path: string): unknown {
  if (!(error instanceof StoreDamaged)) return error
  return new Failure('disk', `the database ${path} is damaged: ${error.because}`, {
    ...{ hint: 'see whether the disk fails: dmesg, smartctl -a', cause: error },
  })
}
