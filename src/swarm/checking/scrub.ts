// Finds what the disk has damaged and has it fetched again: in the background each payload once in
// a while, and at once what somebody found wrong.

import { join } from 'node:path'
import { messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, Instant, NodeName, PackageName, PackageVersion, Sha256 } from '../../model/names.ts'
import { background } from '../../work/background.ts'
import type { Clock, Log, Store, Timer } from '../../world/world.ts'
import { hasBit, piecesOf } from '../holdings/bits.ts'
import type { Holding } from '../holdings/holding.ts'
import type { Holdings } from '../holdings/holdings.ts'
import { pieceDigestsOf } from '../metainfo.ts'
import type { PayloadChecker } from './checker.ts'
import { type Damage, damageAfter, damageTextOf, parseDamage, standingDamage } from './damage.ts'
import { mostDue, oldestOf } from './due.ts'

export interface Scrubbed {
  /** When the payload that was not checked for longest was checked; null without any payload. */
  oldest: Instant | null
  /** The payloads that were whole, and of which damaged pieces are being fetched again. */
  mending: { name: PackageName; version: PackageVersion; missing: number }[]
  /** The damage of the last days; null if there was none. */
  damage: Damage | null
  /** Pieces found damaged since the daemon started. */
  damagedPieces: number
}

export interface Scrub {
  /** The disk no longer has these pieces. `unknown`: or maybe others, as the file has another size. */
  found(infoHash: InfoHash, pieces: readonly number[] | 'unknown'): void
  /** Reads all holdings of this payload at once. Resolves when what is wrong is being fetched. */
  recheck(sha256: Sha256): Promise<void>
  /** So many pieces are recorded as damaged. */
  damaged(damage: Pick<Damage, 'pieces' | 'name' | 'version'>): void
  now(): Scrubbed
  /** A check that runs ends with this process, and its result is dropped. */
  stop(): void
}

export interface ScrubParts {
  /** The folder of the payloads. */
  dir: string
  self: NodeName
  clock: Clock
  log: Log
  store: Pick<Store, 'get' | 'put'>
  checker: PayloadChecker
  /** How often each payload is checked, in milliseconds; null for never. */
  scrubEveryMs: () => number | null
  /** In words for a person; null once there is nothing to tell. */
  onDamage: (text: string | null) => void
}

export async function startScrub(
  parts: ScrubParts & {
    holdings: Holdings
    whileClosed: (infoHash: InfoHash, work: () => Promise<void>) => Promise<void>
  },
): Promise<Scrub> {
  const { clock, log, holdings, store } = parts
  let damage = await loadDamage(parts)
  let damagedPieces = 0
  let timer: Timer | undefined
  let isStopped = false
  const running = new Map<string, Promise<void>>()

  const tell = () => parts.onDamage(damageTextOf(damage, clock.now()))
  const mend = (infoHash: InfoHash, pieces: readonly number[] | 'unknown') =>
    parts.whileClosed(infoHash, () => holdings.damaged(infoHash, pieces, clock.now()))
  const check = async (infoHash: InfoHash, isIdle: boolean): Promise<void> => {
    const wrong = await wrongPieces(parts, infoHash, isIdle)
    if (isStopped || wrong === 'none') return
    if (wrong !== 'unknown' && wrong.length === 0) {
      return await holdings.happened(infoHash, { kind: 'checked', at: clock.now() })
    }
    log.warn('payload is damaged', { infoHash, pieces: wrong === 'unknown' ? 'its size' : wrong.join(' ') })
    await mend(infoHash, wrong)
  }
  /** One check of each holding at a time; somebody who waits does not wait for an idle one. */
  const checkOnce = (infoHash: InfoHash, isIdle: boolean): Promise<void> => {
    const key = `${infoHash} ${isIdle ? 'idle' : 'at once'}`
    const checking = running.get(key) ?? check(infoHash, isIdle).finally(() => running.delete(key))
    running.set(key, checking)
    return checking
  }
  /** A payload that cannot be checked is tried once in a round, and keeps no other from its turn. */
  const tried = new Set<InfoHash>()
  const look = async () => {
    tell()
    const everyMs = parts.scrubEveryMs()
    const untried = [...holdings.all()].filter(({ spec }) => !tried.has(spec.payload.infoHash))
    const due = everyMs === null ? undefined : mostDue(untried, { everyMs, now: clock.now(), self: parts.self })
    if (due === undefined) tried.clear()
    else {
      tried.add(due.spec.payload.infoHash)
      await checkOnce(due.spec.payload.infoHash, true)
    }
    lookLater(due === undefined ? limits.scrubLookMs : 0)
  }
  const lookLater = (ms: number) => {
    if (isStopped) return
    timer = clock.after(ms, () => {
      void look().catch((error) => {
        log.warn('payload not checked', { error: messageOf(error) })
        lookLater(limits.scrubLookMs)
      })
    })
  }
  lookLater(limits.scrubFirstMs)
  tell()
  return {
    found: (infoHash, pieces) => background('mend payload', log, mend(infoHash, pieces)),
    recheck: async (sha256) => {
      for (const { spec } of [...holdings.ofPayload(sha256)]) await checkOnce(spec.payload.infoHash, false)
    },
    damaged: (found) => {
      damagedPieces += found.pieces
      damage = damageAfter(damage, found, clock.now())
      background('record damage', log, store.put(damageKey, damage))
      tell()
    },
    now: () => ({
      oldest: oldestOf(holdings.all()),
      mending: [...holdings.unfinished()].filter(({ mending }) => mending).map(mendingOf),
      damage: standingDamage(damage, clock.now()),
      damagedPieces,
    }),
    stop: () => {
      isStopped = true
      timer?.cancel()
    },
  }
}

/**
 * The wrong pieces of a whole payload; `none` for a holding that is not whole, `unknown` for a file
 * of another size.
 */
async function wrongPieces(
  { dir, checker, holdings }: Pick<ScrubParts, 'dir' | 'checker'> & { holdings: Holdings },
  infoHash: InfoHash,
  isIdle: boolean,
): Promise<readonly number[] | 'none' | 'unknown'> {
  const holding = holdings.get(infoHash)
  const metainfo = await holdings.metainfo(infoHash)
  if (holding?.progress.kind !== 'complete' || metainfo === undefined) return 'none'
  if (!(await holdings.hasFile(infoHash))) return 'unknown'
  const { sha256, size, pieceLength } = holding.spec.payload
  const job = { path: join(dir, sha256), size, pieceLength, digests: pieceDigestsOf(metainfo), isIdle }
  return (await checker.check(job)).wrong
}

function mendingOf({ spec, bits }: Holding): Scrubbed['mending'][number] {
  const pieces = piecesOf(spec.payload)
  let missing = 0
  for (let piece = 0; piece < pieces; piece += 1) if (!hasBit(bits, piece)) missing += 1
  return { name: spec.name, version: spec.version, missing }
}

const damageKey = 'damage'

/** A record that cannot be read is about the past only. */
async function loadDamage({ store, log }: Pick<ScrubParts, 'store' | 'log'>): Promise<Damage | null> {
  const stored = await store.get(damageKey)
  if (stored === undefined) return null
  try {
    return parseDamage(stored, 'record of damage')
  } catch (error) {
    log.warn('record of damage not read', { error: messageOf(error) })
    return null
  }
}
