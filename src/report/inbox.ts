// Reports of the subtree: of each node the newest, as its node signed it. Of all of them only the gist is in memory.

import { createHash } from 'node:crypto'
import { Failure, unreachable } from '../model/failure.ts'
import { type Knowledge, parseKnowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import { parseJson } from '../model/parse.ts'
import { type Attack, type Envelope, parseReport, type Report, type ReportBatch } from '../model/report.ts'
import { takingTurns } from '../work/turns.ts'
import type { Clock, Store, StoreChange } from '../world/world.ts'
import { knowledgeOf } from './knowledge.ts'
import { verdictOn } from './merge.ts'
import { keyIdOf, parseSignedReport, type SignedReport } from './signed-report.ts'

/** Throws an `untrusted` Failure for a signature that does not hold. `certificates` are those of the batch. */
export type VerifyEnvelope = (
  envelope: Envelope,
  certificates: ReportBatch['certificates'],
) => { node: NodeName; payload: Uint8Array }

export interface InboxParts {
  /** A room of its own. */
  store: Store
  verify: VerifyEnvelope
  clock: Pick<Clock, 'now' | 'after'>
  /** How far ahead of our clock a report may say it was made. */
  maxFutureMs: number
}

export interface Accepted {
  /** The nodes of which something newer is known now, sorted. */
  accepted: NodeName[]
  /** What goes on to this node's own parent: the accepted ones, and those known already, in case they got no further. */
  passUp: SignedReport[]
  /** One of each kind, the first: a flood of them is one deed, and says in its detail how many they were. */
  attacks: Attack[]
  /** Genuine or at least not forged, yet nothing to keep: a clock far ahead, a format that is not known here. */
  refused: { node: NodeName | null; reason: string }[]
}

export interface Inbox {
  /**
   * Takes in what a child (or this node itself) hands over; durable when it returns, and then all of the batch may be
   * acknowledged. In whatever order and however often reports come, the newest of each node stays.
   */
  accept(batch: ReportBatch, from: NodeName): Promise<Accepted>
  /** Sorted by name. */
  knowledge(): Knowledge[]
  knowledgeOf(node: NodeName): Knowledge | undefined
  /** The newest in full. */
  report(node: NodeName): Promise<Report | undefined>
  /** The newest of every node, read one after the other. */
  reports(): AsyncIterable<Report>
  signed(node: NodeName): Promise<SignedReport | undefined>
  /** Of a node that is no longer of this fleet. */
  forget(node: NodeName): Promise<void>
}

type Opened =
  | { kind: 'genuine'; report: Report; digest: string }
  | { kind: 'forged'; detail: string }
  | { kind: 'refused'; node: NodeName | null; reason: string }

/** So many signatures are checked before other work gets a turn. */
const checkedAtOnce = 32

/** Throws a `bad-input` Failure if the room holds something else than an inbox. */
export async function openInbox({ store, verify, clock, maxFutureMs }: InboxParts): Promise<Inbox> {
  const inTurn = takingTurns()
  const known = new Map<NodeName, Knowledge>()
  for await (const [key, value] of store.entries(knowledgeKey(''))) {
    const knowledge = parseKnowledge(value, `inbox, ${key}`)
    known.set(knowledge.node, knowledge)
  }

  const othersTurn = () => new Promise<void>((resolve) => clock.after(0, resolve))

  function open(envelope: Envelope, certificates: ReportBatch['certificates']): Opened {
    let node: NodeName | null = null
    try {
      const verified = verify(envelope, certificates)
      node = verified.node
      const value = parseJson(verified.payload, `report of ${node}`, limits.reportMarksMax)
      const report = parseReport(value, `report of ${node}`)
      if (report.node !== node) return { kind: 'forged', detail: `${node} signed a report of ${report.node}` }
      const aheadMs = report.at - clock.now()
      if (aheadMs > maxFutureMs) return { kind: 'refused', node, reason: `its clock is ${aheadMs} ms ahead of ours` }
      return { kind: 'genuine', report, digest: digestOf(verified.payload) }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (error.code === 'untrusted') return { kind: 'forged', detail: error.message }
      // A certificate that ended while the report waited, or a newer format than ours: nobody's attack.
      return { kind: 'refused', node, reason: error.message }
    }
  }

  return {
    accept: (batch, from) =>
      inTurn(async () => {
        const newest = new Map<NodeName, { knowledge: Knowledge; signed: SignedReport }>()
        const duplicates = new Map<NodeName, SignedReport>()
        const attacks = new Map<Attack['kind'], { detail: string; more: number }>()
        const refused: Accepted['refused'] = []
        const attack = (kind: Attack['kind'], detail: string): void => {
          const seen = attacks.get(kind)
          if (seen === undefined) attacks.set(kind, { detail: detail.slice(0, limits.reportTextMaxChars / 2), more: 0 })
          else seen.more += 1
        }

        for (const [index, envelope] of batch.reports.entries()) {
          if (index % checkedAtOnce === checkedAtOnce - 1) await othersTurn()
          const opened = open(envelope, batch.certificates)
          if (opened.kind === 'forged') {
            attack('report-forged', opened.detail)
            continue
          }
          if (opened.kind === 'refused') {
            refused.push({ node: opened.node, reason: opened.reason })
            continue
          }
          const { report, digest } = opened
          const { node, counter } = report
          const certificate = batch.certificates[keyIdOf(envelope)] ?? null
          const signed = { node, counter, envelope, certificate }
          const knowledgeNow = (name: NodeName) => newest.get(name)?.knowledge ?? known.get(name)
          const verdict = verdictOn({ report, digest, from }, knowledgeNow)
          switch (verdict) {
            case 'newer':
              if (!known.has(node) && known.size + newest.size >= limits.inboxMax) {
                refused.push({ node, reason: `reports of ${limits.inboxMax} nodes are kept already` })
                break
              }
              newest.set(node, {
                knowledge: knowledgeOf(report, { digest, receivedAt: clock.now(), via: from }),
                signed,
              })
              break
            case 'duplicate':
              duplicates.set(node, signed)
              break
            case 'late':
              break
            case 'replayed':
              attack('report-replayed', `report ${counter} of ${node} is not newer than ${knowledgeNow(node)?.counter}`)
              break
            default:
              unreachable(verdict)
          }
        }

        const changes = [...newest].flatMap(([node, { knowledge, signed }]): StoreChange[] => [
          { kind: 'put', key: knowledgeKey(node), value: knowledge },
          { kind: 'put', key: signedKey(node), value: signed },
        ])
        if (changes.length > 0) await store.batch(changes)
        for (const [node, { knowledge }] of newest) {
          known.set(node, knowledge)
          duplicates.delete(node)
        }
        return {
          accepted: [...newest.keys()].sort(),
          passUp: [...[...newest.values()].map(({ signed }) => signed), ...duplicates.values()],
          attacks: [...attacks].map(([kind, { detail, more }]) => {
            return {
              kind,
              from,
              at: clock.now(),
              detail: more === 0 ? detail : `${detail}, and ${more} more in one batch`,
            }
          }),
          refused,
        }
      }),

    knowledge: () => [...known.values()].sort((a, b) => (a.node < b.node ? -1 : 1)),
    knowledgeOf: (node) => known.get(node),

    async report(node) {
      const value = await store.get(signedKey(node))
      return value === undefined ? undefined : reportIn(parseSignedReport(value, `inbox, report of ${node}`))
    },

    async *reports() {
      for await (const [key, value] of store.entries(signedKey(''))) {
        yield reportIn(parseSignedReport(value, `inbox, ${key}`))
      }
    },

    async signed(node) {
      const value = await store.get(signedKey(node))
      return value === undefined ? undefined : parseSignedReport(value, `inbox, report of ${node}`)
    },

    forget: (node) =>
      inTurn(async () => {
        await store.batch([
          { kind: 'delete', key: knowledgeKey(node) },
          { kind: 'delete', key: signedKey(node) },
        ])
        known.delete(node)
      }),
  }
}

/** Small, all of them read at the start. */
function knowledgeKey(node: NodeName | ''): string {
  return `knowledge/${node}`
}

/** Large, read when somebody asks for that node. */
function signedKey(node: NodeName | ''): string {
  return `signed/${node}`
}

/** Its signature held before it was stored. */
function reportIn({ node, envelope }: SignedReport): Report {
  const payload = Buffer.from(envelope.payload, 'base64')
  return parseReport(parseJson(payload, `report of ${node}`), `report of ${node}`)
}

function digestOf(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex').slice(0, 16)
}
