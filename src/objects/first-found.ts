// One answer to a child that requested several objects: as many from the start of its list as come
// in time and fit.

import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import { type Found, lengthOf } from '../model/wire/object-frames.ts'
import type { Clock } from '../world/world.ts'

/**
 * Loads the objects one after the other. The answer ends before it exceeds `bytes` bytes, but holds
 * one object at least; and once there is an object in it, the answer ends after
 * `limits.objectsSlowMs`. An object that fails is `failed` in the answer. Throws the last failure
 * if every object failed: the child may have another parent. `coming` if even the first object takes
 * longer than `limits.objectComingMs`: the child would give up. `elsewhere` if `load` says so of the
 * first that is not `failed`; the answer ends before a later one of which it says so.
 */
export async function firstFound(
  { clock, digests, bytes }: { clock: Pick<Clock, 'after'>; digests: readonly Sha256[]; bytes: number },
  load: (digest: Sha256, index: number) => Promise<Uint8Array | undefined | 'elsewhere'>,
): Promise<Found[] | 'coming' | 'elsewhere'> {
  const found: Found[] = []
  const late = Promise.withResolvers<'late'>()
  const timer = clock.after(limits.objectsSlowMs, () => late.resolve('late'))
  const tooLate = Promise.withResolvers<'too-late'>()
  const lastTimer = clock.after(limits.objectComingMs, () => tooLate.resolve('too-late'))
  let sum = 0
  let failure: unknown
  try {
    for (const [index, digest] of digests.entries()) {
      const loading = load(digest, index).catch((error): 'failed' => {
        failure = error
        return 'failed'
      })
      const mayEnd = found.some((each) => each !== 'failed')
      const next = await Promise.race([loading, mayEnd ? late.promise : tooLate.promise])
      if (next === 'late') break
      if (next === 'too-late') return found.length === 0 ? 'coming' : found
      if (next === 'elsewhere') return found.every((each) => each === 'failed') ? 'elsewhere' : found
      sum += lengthOf(next)
      if (sum > bytes && found.length > 0) break
      found.push(next)
    }
  } finally {
    timer.cancel()
    lastTimer.cancel()
  }
  if (found.every((each) => each === 'failed')) throw failure
  return found
}
