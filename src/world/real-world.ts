// The real world, put together.

import { messageOf } from '../model/failure.ts'
import { systemClock } from './clock.ts'
import { systemDisk } from './disk.ts'
import { systemExec } from './exec.ts'
import { openFacts } from './facts.ts'
import { openHttp } from './http/http.ts'
import { systemRandom } from './random.ts'
import { openLevelStore } from './store/store.ts'
import type { Log, World } from './world.ts'

export function openWorld({ log }: { log: Log }): World {
  return {
    clock: systemClock,
    random: systemRandom,
    disk: systemDisk,
    exec: systemExec,
    http: openHttp({
      onError: (error, path) => log.error('request failed', { path, error: messageOf(error), stack: stackOf(error) }),
    }),
    facts: openFacts({ exec: systemExec, log }),
    log,
    openStore: openLevelStore,
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined
}
