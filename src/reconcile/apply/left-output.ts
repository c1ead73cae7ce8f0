// Bounds what services print that an apply has left behind: no apply is there to do that.

import { limits } from '../../model/limits.ts'
import { background } from '../../work/background.ts'
import { cutLeftOutput } from '../../world/programs/left-output.ts'
import type { Clock, Log, Timer } from '../../world/world.ts'

/** Looks at once, and then every `limits.leftOutputLookMs`. */
export function startCuttingLeftOutput({ clock, log }: { clock: Clock; log: Log }): { stop(): void } {
  let timer: Timer | undefined
  let isStopped = false
  const look = () => background('output that services left', log, cutLeftOutput().finally(next))
  function next() {
    if (!isStopped) timer = clock.after(limits.leftOutputLookMs, look)
  }
  look()
  return {
    stop() {
      isStopped = true
      timer?.cancel()
    },
  }
}
