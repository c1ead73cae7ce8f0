// Builds, signs and hands over this node's own reports: when something changed, and as a heartbeat.

import { Failure, isOfDisk } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Report, ReportBatch } from '../../model/report.ts'
import { reportWorthSending } from '../../report/build.ts'
import { seal } from '../../trust/envelope.ts'
import type { NodeIdentity } from '../../trust/identity.ts'
import { repeatable } from '../../work/background.ts'
import type { Clock, Log, Store, Timer } from '../../world/world.ts'
import { counterKey } from '../disk/kept-values.ts'

export const reportPayloadType = 'application/vnd.banyan.report+json'

export interface Reporter {
  /** Something may be worth a report: looks within `limits.reportDebounceMs`. */
  ask(): void
  /** Reports anew, whether or not there is news: the last report was refused. */
  again(): void
  /** Resolves once the report under way is handed over. */
  stop(): Promise<void>
}

export interface ReporterParts {
  clock: Clock
  log: Log
  /** Holds the counter of the reports. */
  store: Store
  identity: () => NodeIdentity
  build: (counter: number) => Report
  /** Takes the node's own report the same way as a child's. */
  take: (batch: ReportBatch) => Promise<void>
  /** Hands a report that could not be stored to the parent at once. */
  sendUnsaved: (batch: ReportBatch) => Promise<void>
  /** The disk did not take a report. */
  onUnsaved: (failure: Failure) => void
}

export function startReporter(parts: ReporterParts): Reporter {
  const { clock, log } = parts
  let latest: Report | undefined
  let newestCounter = 0
  let debounce: Timer | undefined
  let heartbeat: Timer | undefined
  let stopped = false

  const reporting = repeatable('report', log, async () => {
    debounce = undefined
    if (stopped) return
    const counter = Math.max(await nextCounter(parts), newestCounter + 1)
    const report = parts.build(counter)
    if (!reportWorthSending(latest, report)) return
    try {
      // The counter is durable before anybody sees it: a node that dies here skips a number, and
      // never repeats one.
      await parts.store.put(counterKey, counter)
      await parts.take(sealed(report, parts.identity()))
    } catch (error) {
      if (!(error instanceof Failure) || !isOfDisk(error)) throw error
      await sendFromMemory(parts, report, error)
    }
    newestCounter = counter
    latest = report
  })
  const beatLater = () => {
    heartbeat = clock.after(limits.heartbeatMs, () => {
      reporting.ask()
      beatLater()
    })
  }
  beatLater()
  return {
    ask() {
      if (debounce === undefined && !stopped) debounce = clock.after(limits.reportDebounceMs, reporting.ask)
    },
    again() {
      latest = undefined
      reporting.ask()
    },
    async stop() {
      stopped = true
      debounce?.cancel()
      heartbeat?.cancel()
      await reporting.settled()
    },
  }
}

/**
 * A node that cannot store can still speak. Its next counter is above this one all the same, as no
 * counter is below the clock.
 */
async function sendFromMemory(parts: ReporterParts, report: Report, failure: Failure): Promise<void> {
  parts.onUnsaved(failure)
  try {
    await parts.sendUnsaved(sealed({ ...report, unsaved: true }, parts.identity()))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(failure.code, `${failure.message}; nor could it be sent: ${error.message}`, { cause: error })
  }
}

/**
 * Never below the clock: a node that lost its state and joined again continues above the counters
 * it used before.
 */
async function nextCounter({ store, clock }: Pick<ReporterParts, 'store' | 'clock'>): Promise<number> {
  return Math.max(Number((await storedCounter(store)) ?? 0) + 1, clock.now())
}

/** Undefined while the store cannot be read: the clock alone then says how to go on. */
async function storedCounter(store: Pick<Store, 'get'>): Promise<unknown> {
  try {
    return await store.get(counterKey)
  } catch (error) {
    if (!(error instanceof Failure) || !isOfDisk(error)) throw error
    return undefined
  }
}

function sealed(report: Report, { privateKey, keyId, certificateDer }: NodeIdentity): ReportBatch {
  const payload = new TextEncoder().encode(JSON.stringify(report))
  const envelope = seal({ payloadType: reportPayloadType, payload, privateKey, keyId })
  return { reports: [envelope], certificates: { [keyId]: Buffer.from(certificateDer).toString('base64') } }
}
