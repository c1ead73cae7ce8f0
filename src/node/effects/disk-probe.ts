// Finds out whether the home folder can be written, after something could not be stored.

import { repeatable } from '../../work/background.ts'
import type { Disk, Log } from '../../world/world.ts'
import { writeProblem } from '../disk/writable.ts'
import type { Event } from '../state/events.ts'

export interface DiskProbe {
  /** Writes a small file, and dispatches what came of it. */
  probe(): void
  stop(): Promise<void>
}

export function startDiskProbe(parts: {
  log: Log
  disk: Pick<Disk, 'write' | 'remove' | 'freeBytes'>
  dir: string
  dispatch: (event: Event) => void
}): DiskProbe {
  const probing = repeatable('probe disk', parts.log, async () => {
    parts.dispatch({ kind: 'disk-probed', problem: await writeProblem(parts.disk, parts.dir) })
  })
  return { probe: probing.ask, stop: probing.settled }
}
