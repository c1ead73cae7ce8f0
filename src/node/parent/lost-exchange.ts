// Sends a root what it has lost: a root whose disk was damaged, or that was restored from an older
// copy, asks its children.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Trust } from '../../trust/trust-store.ts'
import { repeatable } from '../../work/background.ts'
import type { Objects } from '../../world/objects.ts'
import type { Log } from '../../world/world.ts'
import type { Uplink } from './uplink.ts'

export interface LostExchange {
  /** The parent has answered. */
  look(): void
  stop(): Promise<void>
}

export function createLostExchange({
  uplink: { lost },
  objects,
  trust,
  log,
}: {
  uplink: Pick<Uplink, 'lost'>
  objects: Pick<Objects, 'get'>
  trust: Pick<Trust, 'files'>
  log: Log
}): LostExchange {
  let isStopped = false
  const sendRound = async (): Promise<boolean> => {
    const asked = await lost.fetch()
    if (asked.metadata) await lost.sendMetadata(trust.files())
    for (const digest of asked.objects) {
      const bytes = await objects.get(digest)
      if (bytes !== undefined) await lost.send(bytes)
    }
    return asked.objects.length > 0
  }
  const sending = repeatable('send what the root has lost', log, async () => {
    try {
      for (let round = 0; lost.isAny() && !isStopped && round < limits.lostRoundsMax; round += 1) {
        if (!(await sendRound())) return
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      // The next answer of the parent brings the next try.
      log.debug('lost objects not sent', { error: error.message })
    }
  })
  return {
    look: sending.ask,
    async stop() {
      isStopped = true
      await sending.settled()
    },
  }
}
