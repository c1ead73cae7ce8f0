// How many bytes of bodies and answers a control port holds in memory at once, for all callers and for each of them.

import { limits } from '../model/limits.ts'

export interface Claim {
  /** The bytes are no longer held. Once more does nothing. */
  release(): void
}

export interface Budget {
  /** Undefined if there is no room now, or if others wait for what there is. */
  take(caller: string, bytes: number): Claim | undefined
  /** Resolves when there is room, in turn; undefined when the signal says that it is no longer wanted. */
  wait(caller: string, bytes: number, signal: AbortSignal): Promise<Claim | undefined>
}

interface Waiting {
  caller: string
  bytes: number
  grant(claim: Claim): void
}

/**
 * One caller gets a share only: whoever does not take his answers keeps nobody else waiting. Whatever its size, a caller
 * that holds nothing gets one thing.
 */
export function createBudget(
  max: { bytes: number; bytesOfOne: number } = {
    bytes: limits.httpBytesUnderwayMax,
    bytesOfOne: limits.httpBytesUnderwayOfOneMax,
  },
): Budget {
  const heldBy = new Map<string, number>()
  let held = 0
  const line = new Set<Waiting>()

  const fitsShare = (caller: string, bytes: number) => {
    const own = heldBy.get(caller) ?? 0
    return own === 0 || own + bytes <= max.bytesOfOne
  }
  const fitsAll = (bytes: number) => held === 0 || held + bytes <= max.bytes

  function claim(caller: string, bytes: number): Claim {
    hold(caller, bytes)
    let isHeld = true
    return {
      release() {
        if (!isHeld) return
        isHeld = false
        hold(caller, -bytes)
        serve()
      },
    }
  }

  function hold(caller: string, bytes: number): void {
    held += bytes
    const own = (heldBy.get(caller) ?? 0) + bytes
    if (own === 0) heldBy.delete(caller)
    else heldBy.set(caller, own)
  }

  /** Whoever has used up his share is passed over; of the others, a large wish is not overtaken by small ones. */
  function serve(): void {
    for (const waiting of line) {
      if (!fitsShare(waiting.caller, waiting.bytes)) continue
      if (!fitsAll(waiting.bytes)) return
      line.delete(waiting)
      waiting.grant(claim(waiting.caller, waiting.bytes))
    }
  }

  const isAwaited = () => [...line].some(({ caller, bytes }) => fitsShare(caller, bytes))

  return {
    take(caller, bytes) {
      if (!fitsShare(caller, bytes) || !fitsAll(bytes) || isAwaited()) return undefined
      return claim(caller, bytes)
    },
    wait: (caller, bytes, signal) =>
      new Promise((resolve) => {
        const waiting: Waiting = {
          caller,
          bytes,
          grant(granted) {
            signal.removeEventListener('abort', leave)
            resolve(granted)
          },
        }
        const leave = () => {
          line.delete(waiting)
          resolve(undefined)
          serve()
        }
        if (signal.aborted) return resolve(undefined)
        signal.addEventListener('abort', leave, { once: true })
        line.add(waiting)
        serve()
      }),
  }
}
