// Reports of this node and of its subtree: accepted, kept in the inbox, and passed on to the
// parent. They end at the root.

import { limits } from '../../model/limits.ts'
import type { Instant, NodeName } from '../../model/names.ts'
import type { Attack, Envelope, Report, ReportBatch } from '../../model/report.ts'
import type { ReportsAnswer } from '../../model/wire/reports-answer.ts'
import { type Inbox, openInbox } from '../../report/inbox.ts'
import type { Refused } from '../../report/incoming.ts'
import { openOutbox } from '../../report/outbox.ts'
import { verifyEnvelope } from '../../trust/envelope.ts'
import type { NodeIdentity } from '../../trust/identity.ts'
import { createAllowances } from '../../work/allowances.ts'
import { createFewLines, type FewLines } from '../../work/few-lines.ts'
import type { Clock, Log, Random, Store } from '../../world/world.ts'
import { type Answered, startReportSending } from './report-sending.ts'
import { reportPayloadType, startReporter } from './reporter.ts'

export interface Reports {
  inbox: Inbox
  /** Accepts a batch of the child `from`, and answers what was refused, and why. */
  take(batch: ReportBatch, from: NodeName): Promise<ReportsAnswer>
  /** This node may have something to report. */
  ask(): void
  /**
   * Sends the newest report of every node of the subtree again, for a parent that may not know
   * them.
   */
  again(): Promise<void>
  stop(): Promise<void>
}

export interface ReportsParts {
  clock: Clock
  random: Random
  log: Log
  store: Store
  isRoot: boolean
  self: NodeName
  identity: () => NodeIdentity
  build: (counter: number, at: Instant) => Report
  send: (batch: ReportBatch) => Promise<ReportsAnswer>
  onAttack: (attack: Omit<Attack, 'at'>) => void
  /** The nodes whose newer reports are in the inbox now. */
  onAccepted?: (nodes: NodeName[]) => void
  /** Reports of these nodes were refused here. */
  onRefused?: (refused: { node: NodeName; reason: string }[]) => void
  /** The parent has answered a batch. */
  onAnswered?: (answered: Answered) => void
}

export async function startReports(parts: ReportsParts): Promise<Reports> {
  const { clock, store, isRoot } = parts
  const verify = verifierFor(parts)
  const allowances = createAllowances({
    ...{ monotonicMs: clock.monotonicMs, max: limits.reportsOfNodeMax, everyMs: limits.reportOfNodeEveryMs },
    kept: limits.reportingNodesKept,
  })
  const inbox = await openInbox({
    ...{ store: store.sub('inbox'), verify, clock, maxFutureMs: limits.reportFutureMs },
    mayReport: (node) => node === parts.self || allowances.take(node),
  })
  const outbox = await openOutbox({ store: store.sub('outbox') })

  const lines = createFewLines(clock)

  const take = async (batch: ReportBatch, from: NodeName) => {
    const { accepted, passUp, attacks, refused } = await inbox.accept(batch, from)
    for (const attack of attacks) parts.onAttack(attack)
    if (accepted.length > 0) parts.onAccepted?.(accepted)
    noteRefused({ ...parts, lines }, refused, from)
    if (!isRoot && passUp.length > 0) {
      await outbox.put(passUp)
      sending.ask()
    }
    const told = refused.map(({ index, reason, retry }) => ({ index, reason, retry }))
    return { accepted: accepted.length, refused: told, now: clock.now() }
  }
  let isOwnRefused = false
  const sending = startReportSending({
    ...parts,
    outbox,
    onAnswered(answered) {
      const own = answered.refused.some(({ node }) => node === parts.self)
      isOwnRefused = own || (isOwnRefused && !answered.accepted.includes(parts.self))
      parts.onAnswered?.(answered)
    },
    onRetry() {
      if (isOwnRefused) reporter.again()
    },
  })
  const reporter = startReporter({
    ...parts,
    build: (counter) => parts.build(counter, clock.now()),
    async take(batch) {
      await take(batch, parts.self)
      sending.ask()
    },
  })
  return {
    inbox,
    take,
    ask: reporter.ask,
    async again() {
      for (const { node } of inbox.knowledge()) {
        const signed = await inbox.signed(node)
        if (signed !== undefined) await outbox.put([signed])
      }
      sending.ask()
    },
    stop: async () => void (await Promise.all([reporter.stop(), sending.stop()])),
  }
}

function verifierFor({ identity, clock }: Pick<ReportsParts, 'identity' | 'clock'>) {
  return (envelope: Envelope, certificates: ReportBatch['certificates']) =>
    verifyEnvelope(envelope, { payloadType: reportPayloadType, certificates, ca: identity().tls.ca, now: clock.now() })
}

/**
 * One line for a batch, however many of its reports are refused. Those that were an attack are told
 * as one.
 */
function noteRefused(
  { log, onRefused, lines }: Pick<ReportsParts, 'log' | 'onRefused'> & { lines: FewLines },
  all: readonly Refused[],
  from: NodeName,
): void {
  const refused = all.filter(({ isAttack }) => !isAttack)
  const [first] = refused
  if (first === undefined) return
  onRefused?.(refused.map(({ node, reason }) => ({ node: node ?? from, reason })))
  const more = refused.length > 1 ? `, and ${refused.length - 1} more in one batch` : ''
  const level = lines.mayLog('report refused', from) ? 'warn' : 'debug'
  log[level]('report refused', { node: first.node, from, reason: `${first.reason}${more}` })
}
