// Reports, as the real engine does, when no reachable peer has had anything of what is missing for
// a while.

import { limits } from '../../src/model/limits.ts'
import type { Clock, Timer } from '../../src/world/world.ts'

export function watchReach(parts: {
  clock: Pick<Clock, 'after'>
  isInReach: () => boolean
  tell: (nobodyHas: boolean) => void
}): { look(): void; stop(): void } {
  let state: { kind: 'reached' } | { kind: 'doubted'; timer: Timer } | { kind: 'told' } = { kind: 'reached' }
  const nobodyHas = () => {
    state = { kind: 'told' }
    parts.tell(true)
  }
  return {
    look() {
      const isInReach = parts.isInReach()
      if (!isInReach && state.kind === 'reached') {
        state = { kind: 'doubted', timer: parts.clock.after(limits.nobodyHasMs, nobodyHas) }
      }
      if (!isInReach || state.kind === 'reached') return
      if (state.kind === 'doubted') state.timer.cancel()
      else parts.tell(false)
      state = { kind: 'reached' }
    },
    stop() {
      if (state.kind === 'doubted') state.timer.cancel()
    },
  }
}
