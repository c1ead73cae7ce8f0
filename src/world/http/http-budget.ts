// Bounds the bytes of bodies and answers that a control port holds in memory at once, for all
// callers and for each one.

import { limits } from '../../model/limits.ts'

export interface Claim {
  /** Gives the bytes back. A second call does nothing. */
  release(): void
}

export interface Budget {
  /** Undefined if there is no room now, or if others already wait for it. */
  take(caller: string, bytes: number): Claim | undefined
  /**
   * Resolves when there is room and it is this caller's turn. Resolves to undefined when the signal
   * aborts.
   */
  wait(caller: string, bytes: number, signal: AbortSignal): Promise<Claim | undefined>
  /** Whether anybody waits. */
  isWaitedFor(): boolean
}

export interface BudgetMax {
  bytes: number
  /** The share of one caller. */
  bytesOfOne: number
}

interface Waiting {
  caller: string
  bytes: number
  grant(claim: Claim): void
}

/**
 * One caller gets a share only, so a caller that does not take its answers keeps nobody else
 * waiting. A caller that holds nothing gets one thing, whatever its size.
 */
export function createBudget(
  max: BudgetMax = { bytes: limits.httpBytesUnderwayMax, bytesOfOne: limits.httpBytesUnderwayOfOneMax },
): Budget {
  const ledger = createLedger(max)
  /** In the order of the calls. */
  const line = new Set<Waiting>()

  function claim(caller: string, bytes: number): Claim {
    ledger.hold(caller, bytes)
    let isHeld = true
    return {
      release() {
        if (!isHeld) return
        isHeld = false
        ledger.hold(caller, -bytes)
        serve()
      },
    }
  }

  /**
   * Passes over callers that have used up their share. Among the others, small wishes do not
   * overtake a large one.
   */
  function serve(): void {
    for (const waiting of line) {
      if (!ledger.fitsShare(waiting)) continue
      if (!ledger.fitsAll(waiting)) return
      line.delete(waiting)
      waiting.grant(claim(waiting.caller, waiting.bytes))
    }
  }

  return {
    take(caller, bytes) {
      const wish = { caller, bytes }
      const isAwaited = [...line].some(ledger.fitsShare)
      if (!ledger.fitsShare(wish) || !ledger.fitsAll(wish) || isAwaited) return undefined
      return claim(caller, bytes)
    },
    isWaitedFor: () => line.size > 0,
    wait: (caller, bytes, signal) =>
      new Promise((resolve) => {
        const leave = () => {
          line.delete(waiting)
          resolve(undefined)
          serve()
        }
        const waiting: Waiting = {
          caller,
          bytes,
          grant(granted) {
            signal.removeEventListener('abort', leave)
            resolve(granted)
          },
        }
        if (signal.aborted) return resolve(undefined)
        signal.addEventListener('abort', leave, { once: true })
        line.add(waiting)
        serve()
      }),
  }
}

type Wish = Pick<Waiting, 'caller' | 'bytes'>

/** Who holds how many bytes, and whether more would fit. */
function createLedger(max: BudgetMax) {
  const heldBy = new Map<string, number>()
  let held = 0
  return {
    fitsShare: ({ caller, bytes }: Wish) => {
      const own = heldBy.get(caller) ?? 0
      return own === 0 || own + bytes <= max.bytesOfOne
    },
    fitsAll: ({ bytes }: Wish) => held === 0 || held + bytes <= max.bytes,
    /** A negative number gives bytes back. */
    hold(caller: string, bytes: number): void {
      held += bytes
      const own = (heldBy.get(caller) ?? 0) + bytes
      if (own === 0) heldBy.delete(caller)
      else heldBy.set(caller, own)
    },
  }
}
