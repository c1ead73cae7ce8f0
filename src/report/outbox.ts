// Reports on their way to the parent: the newest of each node, kept on disk until the parent has
// acknowledged it.

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
  /** The nodes of the batch's reports, in their order. */
  nodes: NodeName[]
  /**
   * Removes exactly these reports, and not newer ones of the same nodes. For when the parent has
   * stored the batch. Those of the nodes in `refused` stay, and are not taken before `retry`.
   */
  acknowledge(refused?: ReadonlySet<NodeName>): Promise<void>
}

export interface Outbox {
  /**
   * Stores reports of this node or its descendants; durable when it returns. A report that is not
   * newer than the one that waits is ignored. If reports of more than `limits.outboxMax` nodes
   * would wait, it stores none of them and throws a `no-space` Failure, to be retried later: their
   * sender keeps them until they are acknowledged.
   */
  put(reports: readonly SignedReport[]): Promise<void>
  /**
   * The reports that have waited longest, at most `limits.reportBatchMax` and, as JSON,
   * `limits.reportsMaxBytes`; undefined if none wait. They stay in the outbox, and are taken again,
   * until they are acknowledged.
   */
  take(): Promise<Outgoing | undefined>
  /** Reports that were refused are taken again. */
  retry(): void
  /** How many nodes' reports wait. */
  size(): number
  /** How many of them are of other nodes, and were not refused. */
  sizeBeside(nodes: ReadonlySet<NodeName>): number
}

const waitingSchema = v.strictObject({
  counter: countSchema,
  /** The id of the key that signed it. */
  key: v.exactOptional(v.string()),
  /** How many bytes the report and its certificate add to a batch. */
  bytes: countSchema,
})
type Waiting = v.InferOutput<typeof waitingSchema>
const parseWaiting = parserOf(waitingSchema)

const emptyBatchBytes = JSON.stringify({ reports: [], certificates: {} }).length

/** By node, in the order in which they are sent. */
type AllWaiting = ReadonlyMap<NodeName, Waiting>

/** Throws a `bad-input` Failure if the room holds something else than an outbox. */
export async function openOutbox({ store }: OutboxParts): Promise<Outbox> {
  const inTurn = takingTurns()
  // Changed in turn only, after the store has the change.
  const waiting = new Map<NodeName, Waiting>()
  for await (const [key, value] of store.entries(waitingKey(''))) {
    const node = key.slice(waitingKey('').length)
    waiting.set(node, parseWaiting(value, `outbox, report of ${node}`))
  }

  /** The counters of the reports that were refused, and are not to be sent again yet. */
  const aside = new Map<NodeName, number>()
  const ready = () => [...waiting].filter(([node, { counter }]) => aside.get(node) !== counter)

  const acknowledged = (counters: ReadonlyMap<NodeName, number>, refused: ReadonlySet<NodeName>) =>
    inTurn(async () => {
      for (const [node, counter] of counters) if (refused.has(node)) aside.set(node, counter)
      const done = [...counters].filter(
        ([node, counter]) => !refused.has(node) && waiting.get(node)?.counter === counter,
      )
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
        const newer = newerThan(waiting, reports)
        refuseIfFull(waiting, newer.keys())
        const changes = [...newer].flatMap(([node, { report, waits }]): StoreChange[] => [
          { kind: 'put', key: waitingKey(node), value: waits },
          { kind: 'put', key: signedKey(node), value: report },
        ])
        if (changes.length > 0) await store.batch(changes)
        for (const [node, { waits }] of newer) waiting.set(node, waits)
      }),

    take: () =>
      inTurn(async () => {
        const { batch, counters, lost } = await batchFrom(store, new Map(ready()))
        for (const node of lost) {
          await store.delete(waitingKey(node))
          waiting.delete(node)
        }
        if (counters.size === 0) return undefined
        const acknowledge = (refused: ReadonlySet<NodeName> = new Set()) => acknowledged(counters, refused)
        return { batch, nodes: [...counters.keys()], acknowledge }
      }),
    retry: () => aside.clear(),

    size: () => waiting.size,
    sizeBeside: (nodes) => ready().filter(([node]) => !nodes.has(node)).length,
  }
}

/** The newest report of each node, without those that are not newer than the one that waits. */
function newerThan(waiting: AllWaiting, reports: readonly SignedReport[]) {
  const newer = new Map<NodeName, { report: SignedReport; waits: Waiting }>()
  for (const report of reports) {
    const waits = newer.get(report.node)?.waits ?? waiting.get(report.node)
    const key = keyIdOf(report.envelope)
    // Which of two keys is the newer one the inbox has decided.
    const isSameKey = waits?.key === undefined || waits.key === key
    if (waits !== undefined && isSameKey && waits.counter >= report.counter) continue
    newer.set(report.node, { report, waits: { counter: report.counter, key, bytes: bytesOf(report) } })
  }
  return newer
}

function refuseIfFull(waiting: AllWaiting, nodes: Iterable<NodeName>): void {
  const added = [...nodes].filter((node) => !waiting.has(node)).length
  if (added === 0 || waiting.size + added <= limits.outboxMax) return
  throw new Failure('no-space', `reports of ${waiting.size} nodes wait for the parent already`, { retry: 'later' })
}

/**
 * As many reports as one batch may have, and their counters by node. `lost`: a damaged database has
 * lost their reports; the next one of each node takes its place.
 */
async function batchFrom(
  store: Store,
  waiting: AllWaiting,
): Promise<{ batch: ReportBatch; counters: Map<NodeName, number>; lost: NodeName[] }> {
  const lost: NodeName[] = []
  const reports: ReportBatch['reports'] = []
  const certificates = new Map<string, string>()
  const counters = new Map<NodeName, number>()
  let bytes = emptyBatchBytes
  for (const [node, waits] of waiting) {
    if (reports.length === limits.reportBatchMax || bytes + waits.bytes > limits.reportsMaxBytes) break
    const stored = await store.get(signedKey(node))
    if (stored === undefined) {
      lost.push(node)
      continue
    }
    const report = parseSignedReport(stored, `outbox, report of ${node}`)
    const keyId = keyIdOf(report.envelope)
    if (report.certificate !== null) {
      // A batch has room for one certificate per key; a report with another one for the same key
      // goes with the next batch.
      if ((certificates.get(keyId) ?? report.certificate) !== report.certificate) continue
      certificates.set(keyId, report.certificate)
    }
    reports.push(report.envelope)
    counters.set(node, waits.counter)
    bytes += waits.bytes
  }
  return { batch: { reports, certificates: Object.fromEntries(certificates) }, counters, lost }
}

/**
 * The key of what is kept in memory of a waiting report: small, and all of them are read at the
 * start.
 */
function waitingKey(node: NodeName | ''): string {
  return `waiting/${node}`
}

/** The key of a waiting report: large, and read when it is sent. */
function signedKey(node: NodeName): string {
  return `signed/${node}`
}

/** Bytes that a report adds to a batch, with the commas and quotes around it. */
function bytesOf({ envelope, certificate }: SignedReport): number {
  const listed = Buffer.byteLength(JSON.stringify(envelope)) + 1
  if (certificate === null) return listed
  return listed + Buffer.byteLength(JSON.stringify({ [keyIdOf(envelope)]: certificate }))
}
