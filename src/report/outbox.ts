// Reports on their way to the parent: of each node the newest, kept on disk until the parent has said that it has it.

import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { countSchema, type NodeName } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import type { ReportBatch } from '../model/report.ts'
import { takingTurns } from '../work/turns.ts'
import type { Store, StoreChange } from '../world/world.ts'
import { keyIdOf, parseSignedReport, type SignedReport } from './signed-report.ts'

export interface OutboxParts {
  /** A room of its own. */
  store: Store
}

export interface Outgoing {
  batch: ReportBatch
  /** The parent has it: drops exactly these reports, not what came in meanwhile. */
  acknowledge(): Promise<void>
}

export interface Outbox {
  /**
   * Own and descendants' reports; durable when it returns. A report that is not newer than the one that waits is left.
   * Throws `no-space`, to be tried later, and puts none of them, if reports of more than limits.outboxMax nodes would
   * wait: whoever sent them keeps them that long.
   */
  put(reports: readonly SignedReport[]): Promise<void>
  /**
   * Those that wait longest, at most limits.reportBatchMax and, as JSON, limits.reportsMaxBytes; undefined if none wait.
   * They stay in the outbox, and come again, until they are acknowledged.
   */
  take(): Promise<Outgoing | undefined>
  /** How many nodes' reports wait. */
  size(): number
}

const waitingSchema = v.strictObject({ counter: countSchema, bytes: countSchema })
/** `bytes` is what the report and its certificate add to a batch. */
type Waiting = v.InferOutput<typeof waitingSchema>
const parseWaiting = parserOf(waitingSchema)

const emptyBatchBytes = JSON.stringify({ reports: [], certificates: {} }).length

/** Throws a `bad-input` Failure if the room holds something else than an outbox. */
export async function openOutbox({ store }: OutboxParts): Promise<Outbox> {
  const inTurn = takingTurns()
  const waiting = new Map<NodeName, Waiting>()
  for await (const [key, value] of store.entries(waitingKey(''))) {
    const node = key.slice(waitingKey('').length)
    waiting.set(node, parseWaiting(value, `outbox, report of ${node}`))
  }

  const acknowledged = (counters: ReadonlyMap<NodeName, number>) =>
    inTurn(async () => {
      const done = [...counters].filter(([node, counter]) => waiting.get(node)?.counter === counter)
      const changes = done.flatMap(([node]): StoreChange[] => [
        { kind: 'delete', key: waitingKey(node) },
        { kind: 'delete', key: signedKey(node) },
      ])
      if (changes.length > 0) await store.batch(changes)
      for (const [node] of done) waiting.delete(node)
    })

  return {
    put: (reports) =>
      inTurn(async () => {
        const newer = new Map<NodeName, { report: SignedReport; waits: Waiting }>()
        for (const report of reports) {
          const counter = newer.get(report.node)?.waits.counter ?? waiting.get(report.node)?.counter
          if (counter !== undefined && counter >= report.counter) continue
          newer.set(report.node, { report, waits: { counter: report.counter, bytes: bytesOf(report) } })
        }
        const added = [...newer.keys()].filter((node) => !waiting.has(node)).length
        if (added > 0 && waiting.size + added > limits.outboxMax) {
          throw new Failure('no-space', `reports of ${waiting.size} nodes wait for the parent already`, {
            retry: 'later',
          })
        }
        const changes: StoreChange[] = []
        for (const [node, { report, waits }] of newer) {
          changes.push({ kind: 'put', key: waitingKey(node), value: waits })
          changes.push({ kind: 'put', key: signedKey(node), value: report })
        }
        if (changes.length > 0) await store.batch(changes)
        for (const [node, { waits }] of newer) waiting.set(node, waits)
      }),

    take: () =>
      inTurn(async () => {
        const reports: ReportBatch['reports'] = []
        const certificates = new Map<string, string>()
        const counters = new Map<NodeName, number>()
        let bytes = emptyBatchBytes
        for (const [node, waits] of waiting) {
          if (reports.length === limits.reportBatchMax || bytes + waits.bytes > limits.reportsMaxBytes) break
          const report = parseSignedReport(await store.get(signedKey(node)), `outbox, report of ${node}`)
          const keyId = keyIdOf(report.envelope)
          if (report.certificate !== null) {
            // A batch has room for one certificate per key; another one for the same key goes with the next batch.
            if ((certificates.get(keyId) ?? report.certificate) !== report.certificate) continue
            certificates.set(keyId, report.certificate)
          }
          reports.push(report.envelope)
          counters.set(node, waits.counter)
          bytes += waits.bytes
        }
        if (reports.length === 0) return undefined
        return {
          batch: { reports, certificates: Object.fromEntries(certificates) },
          acknowledge: () => acknowledged(counters),
        }
      }),

    size: () => waiting.size,
  }
}

/** Small, all of them read at the start. */
function waitingKey(node: NodeName | ''): string {
  return `waiting/${node}`
}

/** Large, read when it is sent. */
function signedKey(node: NodeName): string {
  return `signed/${node}`
}

/** With the commas and quotes around it. */
function bytesOf({ envelope, certificate }: SignedReport): number {
  const listed = Buffer.byteLength(JSON.stringify(envelope)) + 1
  if (certificate === null) return listed
  return listed + Buffer.byteLength(JSON.stringify({ [keyIdOf(envelope)]: certificate }))
}
