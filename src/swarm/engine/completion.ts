// The end of a transfer: a payload whose pieces are all right gets its final name only if its
// SHA-256 is right as well.

import type { Sha256 } from '../../model/names.ts'
import type { Opening } from '../engine.ts'
import { startPayloadDigest } from './payload/payload-digest.ts'
import { finishPayload, removePart } from './payload/payload-files.ts'
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
  stop(): void
}

export function startCompletion(parts: {
  opening: Opening
  file: PayloadFile
  /** Whether it was checked before. */
  isChecked: boolean
  has: (piece: number) => boolean
  /** The file is whole, and its SHA-256 is this one. Called before the outcome. */
  onDigest: (found: Sha256) => void
  /** The payload is right, durable and lies under its final name. */
  onRight: () => void
  /** The payload is wrong although its pieces are right, and is removed. */
  onForged: (found: Sha256) => void
}): Completion {
  const { opening, file, has } = parts
  const digest = startPayloadDigest({ layout: opening, has, read: file.read })
  let { isChecked } = parts
  let isStopped = false
  return {
    isChecked: () => isChecked,
    advance: () => {
      if (!isChecked) digest.advance()
    },
    finish: async () => {
      if (isChecked) return
      file.seal()
      await file.settle()
      const found = await digest.finish()
      if (isStopped) return
      parts.onDigest(found)
      if (found === opening.sha256) {
        await file.exchange((fd) => finishPayload(opening, fd))
        isChecked = true
        parts.onRight()
        return
      }
      await removePart(opening)
      parts.onForged(found)
    },
    stop: () => {
      isStopped = true
      digest.stop()
    },
  }
}
