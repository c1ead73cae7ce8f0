// Sends the reports in the outbox to the parent, one batch after the other, with back-off while the
// parent takes none.

import { Failure } from '../../model/failure.ts'
import type { ReportBatch } from '../../model/report.ts'
import type { Outbox } from '../../report/outbox.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import { repeatable } from '../../work/background.ts'
import type { Clock, Log, Random, Timer } from '../../world/world.ts'

export interface ReportSending {
  /** There may be reports in the outbox: sends them now, also if a retry is due only later. */
  ask(): void
  /** Resolves once the batch under way is sent or has failed. */
  stop(): Promise<void>
}

export function startReportSending(parts: {
  clock: Clock
  random: Random
  log: Log
  outbox: Outbox
  send: (batch: ReportBatch) => Promise<void>
}): ReportSending {
  const { clock, random, log, outbox } = parts
  let retry: Timer | undefined
  let stopped = false
  let failures = 0

  const sending = repeatable('send reports', log, async () => {
    while (!stopped) {
      const outgoing = await outbox.take()
      if (outgoing === undefined) return
      try {
        await parts.send(outgoing.batch)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        log.debug('reports not sent', { error: error.message, waiting: outbox.size() })
        failures += 1
        retry?.cancel()
        if (!stopped) retry = clock.after(retryDelayMs(failures, random.fraction(), error), sending.ask)
        return
      }
      failures = 0
      await outgoing.acknowledge()
    }
  })
  sending.ask()
  return {
    ask: sending.ask,
    async stop() {
      stopped = true
      retry?.cancel()
      await sending.settled()
    },
  }
}
