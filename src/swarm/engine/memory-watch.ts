// The engine's hard limit of memory: whatever a peer finds to fill it with, the machine stays usable.

import { limits } from '../../model/limits.ts'
import type { Clock } from '../../world/world.ts'

/** Calls `onTooMuch` with the bytes, once, as soon as the process has more than it may have. */
export function watchMemory(parts: {
  clock: Pick<Clock, 'after'>
  residentBytes: () => number
  onTooMuch: (bytes: number) => void
}): void {
  const look = () => {
    const bytes = parts.residentBytes()
    if (bytes > limits.engineMemoryMaxBytes) parts.onTooMuch(bytes)
    else parts.clock.after(limits.engineMemoryLookMs, look)
  }
  look()
}

/**
 * Ends the process once its last word is on its way. A daemon that does not read keeps no process
 * alive: `end` is called after `limits.engineFarewellMs` at the latest.
 */
export function endAfterTelling(parts: {
  clock: Pick<Clock, 'after'>
  /** Calls back once the word has left. */
  tell: (told: () => void) => void
  end: () => void
}): void {
  parts.clock.after(limits.engineFarewellMs, parts.end)
  parts.tell(parts.end)
}
