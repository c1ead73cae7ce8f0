// Builds this node's own reports when something changed, and sends what lies in the outbox upward.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Report, ReportBatch } from '../../model/report.ts'
import { reportWorthSending } from '../../report/build.ts'
import type { Outbox } from '../../report/outbox.ts'
import { seal } from '../../trust/envelope.ts'
import type { NodeIdentity } from '../../trust/identity.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import { repeatable } from '../../work/background.ts'
import type { Clock, Log, Random, Store, Timer } from '../../world/world.ts'

export const reportPayloadType = 'application/vnd.banyan.report+json'

export interface Reporter {
  /** Something may be worth a report. */
  ask(): void
  /** Something lies in the outbox. */
  flush(): void
  stop(): Promise<void>
}

export function startReporter(parts: {
  clock: Clock
  random: Random
  log: Log
  store: Store
  identity: () => NodeIdentity
  build: (counter: number) => Report
  /** Takes the node's own report in the way its children's are. */
  take: (batch: ReportBatch) => Promise<void>
  outbox: Outbox
  send: (batch: ReportBatch) => Promise<void>
}): Reporter {
  const { clock, random, log, store, outbox } = parts
  let latest: Report | undefined
  let debounce: Timer | undefined
  let retry: Timer | undefined
  let heartbeat: Timer | undefined
  let stopped = false
  let attempt = 0

  const reporting = repeatable('report', log, async () => {
    debounce = undefined
    if (stopped) return
    // Never below the clock: a node that lost its state and joined again goes on above what it said before.
    const counter = Math.max(Number((await store.get('report-counter')) ?? 0) + 1, clock.now())
    const report = parts.build(counter)
    if (!reportWorthSending(latest, report)) return
    // The counter is durable before anybody sees it: a node that dies here skips a number, it never repeats one.
    await store.put('report-counter', counter)
    const { privateKey, keyId, certificateDer } = parts.identity()
    const payload = new TextEncoder().encode(JSON.stringify(report))
    const envelope = seal({ payloadType: reportPayloadType, payload, privateKey, keyId })
    const certificates = { [keyId]: Buffer.from(certificateDer).toString('base64') }
    await parts.take({ reports: [envelope], certificates })
    latest = report
    flushing.ask()
  })
  const flushing = repeatable('send reports', log, async () => {
    while (!stopped) {
      const outgoing = await outbox.take()
      if (outgoing === undefined) return
      try {
        await parts.send(outgoing.batch)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        log.debug('reports not sent', { error: error.message, waiting: outbox.size() })
        attempt += 1
        retry?.cancel()
        if (!stopped) retry = clock.after(retryDelayMs(attempt, random.fraction(), error), flushing.ask)
        return
      }
      attempt = 0
      await outgoing.acknowledge()
    }
  })
  const beat = () => {
    reporting.ask()
    heartbeat = clock.after(limits.heartbeatMs, beat)
  }
  heartbeat = clock.after(limits.heartbeatMs, beat)
  flushing.ask()
  return {
    ask() {
      if (debounce === undefined && !stopped) debounce = clock.after(limits.reportDebounceMs, reporting.ask)
    },
    flush: flushing.ask,
    async stop() {
      stopped = true
      for (const timer of [debounce, retry, heartbeat]) timer?.cancel()
      await Promise.all([reporting.settled(), flushing.settled()])
    },
  }
}
