// The end of a transfer: a payload whose pieces are all right gets its final name only if its
// SHA-256 is right as well, as it lies on the disk.

import { limits } from '../../model/limits.ts'
import type { Sha256 } from '../../model/names.ts'
import type { Clock } from '../../world/world.ts'
import type { Opening } from '../engine.ts'
import { type PayloadDigest, startPayloadDigest } from './payload/payload-digest.ts'
import { damagedPieces, finishPayload, isUnreadable, removePart } from './payload/payload-files.ts'
import type { PayloadFile } from './payload/piece-store.ts'

export interface Completion {
  /** Whether the whole payload is here and has its SHA-256. */
  isChecked(): boolean
  /** A piece was verified: the digest goes on as far as the pieces reach without a gap. */
  advance(): void
  /**
   * To be called once all pieces are here. Does nothing if the payload is checked. Throws what the
   * disk throws.
   */
  finish(): Promise<void>
  /** A `finish` that is under way ends early, and does not throw. */
  stop(): void
}

export function startCompletion(parts: {
  opening: Opening
  file: Pick<PayloadFile, 'seal' | 'settle' | 'readDisk' | 'exchange'>
  /** Whether it was checked before. */
  isChecked: boolean
  has: (piece: number) => boolean
  clock: Pick<Clock, 'monotonicMs'>
  /** The file is whole, and its SHA-256 is this one. Called before the outcome. */
  onDigest: (found: Sha256) => void
  /** The payload is right, durable and lies under its final name. */
  onRight: () => void
  /** The disk no longer has these pieces as they were recorded. Nothing is removed. */
  onDamaged: (pieces: number[]) => void
  /** The payload is wrong although its pieces on the disk are right, and is removed. */
  onForged: (found: Sha256) => void
}): Completion {
  const { opening, file, has, clock } = parts
  const newDigest = () => startPayloadDigest({ layout: opening, has, read: file.readDisk })
  const sinceMs = clock.monotonicMs()
  let digest = newDigest()
  let { isChecked } = parts
  let isStopped = false
  const finish = async () => {
    file.seal()
    await file.settle()
    // What was read long ago may have changed on the disk since.
    if (clock.monotonicMs() - sinceMs > limits.digestFreshMs) digest = newDigest()
    const found = await digestOf(digest)
    if (isStopped) return
    if (found !== undefined) parts.onDigest(found)
    if (found === opening.sha256) {
      await file.exchange((fd) => finishPayload(opening, fd))
      isChecked = true
      parts.onRight()
      return
    }
    const damaged = await damagedPieces(opening, file)
    if (isStopped) return
    if (damaged.length > 0) return parts.onDamaged(damaged)
    if (found === undefined) throw new Error('the disk cannot read the payload')
    await removePart(opening)
    parts.onForged(found)
  }
  return {
    isChecked: () => isChecked,
    advance: () => {
      if (!isChecked) digest.advance()
    },
    finish: async () => {
      if (isChecked) return
      try {
        await finish()
      } catch (error) {
        // The digest ends early and the file closes: the holding has not failed. When it is opened
        // again, it finishes.
        if (!isStopped) throw error
      }
    },
    stop: () => {
      isStopped = true
      digest.stop()
    },
  }
}

/** Undefined if the disk cannot read all of the payload. */
async function digestOf(digest: PayloadDigest): Promise<Sha256 | undefined> {
  try {
    return await digest.finish()
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}
