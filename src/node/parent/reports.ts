// Reports of this node and of its subtree: accepted, kept in the inbox, and passed on to the
// parent. They end at the root.

import { Failure, isOfDisk } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, NodeName, Sha256 } from '../../model/names.ts'
import type { Attack, Envelope, Report, ReportBatch } from '../../model/report.ts'
import type { ReportsAnswer } from '../../model/wire/reports-answer.ts'
import { type Accepted, type Inbox, openInbox } from '../../report/inbox.ts'
import type { Recovery } from '../../report/inbox-room.ts'
import type { Refused } from '../../report/incoming.ts'
import { openOutbox } from '../../report/outbox.ts'
import { verifyEnvelope } from '../../trust/envelope.ts'
import type { NodeIdentity } from '../../trust/identity.ts'
import { createAllowances } from '../../work/allowances.ts'
import { background } from '../../work/background.ts'
import { createFewLines, type FewLines } from '../../work/few-lines.ts'
import type { Clock, Log, Random, Store } from '../../world/world.ts'
import { type Answered, answeredOf, startReportSending } from './report-sending.ts'
import { reportPayloadType, startReporter } from './reporter.ts'
import { openResending } from './resending.ts'

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
  /** Whether the fleet has turned this key away. */
  isRevoked?: (keyId: Sha256) => boolean
  build: (counter: number, at: Instant) => Report
  send: (batch: ReportBatch) => Promise<ReportsAnswer>
  onAttack: (attack: Omit<Attack, 'at'>) => void
  /** What the database that holds the reports is called; another one after damage. */
  memory?: () => string
  /** Damage of that database. */
  damage?: { incident(): unknown; onIncident(listener: () => void): void }
  /** At a root, the nodes that belong to the fleet and are not known. */
  admitted?: Recovery['admitted']
  /** The nodes whose newer reports are in the inbox now. */
  onAccepted?: (nodes: NodeName[]) => void
  /** Reports of these nodes were refused here. */
  onRefused?: (refused: { node: NodeName; reason: string }[]) => void
  /** The disk did not take a report. */
  onUnsaved?: (failure: Failure) => void
  /** The parent has answered a batch. */
  onAnswered?: (answered: Answered) => void
}

type Noting = ReportsParts & { lines: FewLines }

export async function startReports(given: ReportsParts): Promise<Reports> {
  const parts: Noting = { ...given, lines: createFewLines(given.clock) }
  const { clock, log, self, store, isRoot } = parts
  const verify = verifierFor(parts)
  const allowances = createAllowances({
    ...{ monotonicMs: clock.monotonicMs, max: limits.reportsOfNodeMax, everyMs: limits.reportOfNodeEveryMs },
    kept: limits.reportingNodesKept,
  })
  const inbox = await openInbox({
    ...{ store: store.sub('inbox'), verify, clock, maxFutureMs: limits.reportFutureMs },
    mayReport: (node) => node === parts.self || allowances.take(node),
  })
  await recoverInbox(parts, inbox)
  const outbox = await openOutbox({ store: store.sub('outbox') })

  const take = async (batch: ReportBatch, from: NodeName) => {
    const { accepted, passUp, refused } = note(parts, await inbox.accept(batch, from), from)
    if (!isRoot && passUp.length > 0) {
      await outbox.put(passUp)
      sending.ask()
    }
    const told = refused.map(({ index, reason, retry }) => ({ index, reason, retry }))
    const moved = inbox.awayFrom(from)
    const memory = parts.memory && { memory: parts.memory() }
    return { accepted: accepted.length, refused: told, now: clock.now(), ...memory, ...(moved.length > 0 && { moved }) }
  }
  const takeOrRelay = async (batch: ReportBatch, from: NodeName): Promise<ReportsAnswer> => {
    try {
      return await take(batch, from)
    } catch (error) {
      if (!(error instanceof Failure) || !isOfDisk(error) || isRoot) throw error
      parts.onUnsaved?.(error)
      return await relayed(parts, inbox, batch, from)
    }
  }
  const onAnswered = (answered: Answered) => {
    const own = answered.refused.some(({ node }) => node === parts.self)
    isOwnRefused = own || (isOwnRefused && !answered.accepted.includes(parts.self))
    parts.onAnswered?.(memories.bounded(answered))
  }
  const memories = createMemories(clock)
  let isOwnRefused = false
  const sending = startReportSending({
    ...parts,
    outbox,
    onAnswered,
    onSent: () => resending.goOn(),
    onMoved: (moved) => background('forget who moved', log, inbox.left(moved.filter(({ node }) => node !== self))),
    onRetry() {
      if (isOwnRefused) reporter.again()
    },
  })
  const resending = await openResending({
    ...{ store: store.sub('resend'), inbox, outbox, log },
    onReady: () => sending.ask(),
  })
  const reporter = startReporter({
    ...parts,
    build: (counter) => parts.build(counter, clock.now()),
    async take(batch) {
      await take(batch, parts.self)
      sending.ask()
    },
    async sendUnsaved(batch) {
      note(parts, await inbox.judge(batch, parts.self, { isOwn: true }), parts.self)
      const askedAt = clock.now()
      const answer = await parts.send(batch)
      onAnswered(answeredOf([parts.self], answer, { askedAt, now: clock.now() }))
    },
    onUnsaved: (failure) => parts.onUnsaved?.(failure),
  })
  return {
    inbox,
    take: takeOrRelay,
    ask: reporter.ask,
    again: resending.begin,
    stop: async () => void (await Promise.all([reporter.stop(), sending.stop(), resending.stop()])),
  }
}

/** What was damaged before this start is gone from memory; what is damaged later is not. */
async function recoverInbox(
  { damage, admitted, clock, log }: Pick<ReportsParts, 'damage' | 'admitted' | 'clock' | 'log'>,
  inbox: Inbox,
): Promise<void> {
  const nobody = async () => []
  damage?.onIncident(() => {
    background('know the subtree again', log, inbox.recover({ now: clock.now(), admitted: nobody }))
  })
  if ((damage?.incident() ?? null) !== null) await inbox.recover({ now: clock.now(), admitted: admitted ?? nobody })
}

/** The parent controls its word, and each new one has this node send all reports again. */
function createMemories(clock: Pick<Clock, 'monotonicMs'>) {
  let taken: { memory: string | undefined; atMs: number } | undefined
  return {
    bounded({ memory, ...answered }: Answered): Answered {
      const nowMs = clock.monotonicMs()
      if (memory === undefined) return answered
      if (taken !== undefined && taken.memory !== memory && nowMs - taken.atMs < limits.heartbeatMs) return answered
      if (taken?.memory !== memory) taken = { memory, atMs: nowMs }
      return { ...answered, memory }
    },
  }
}

/** Tells everybody what became of a batch. */
function note(parts: Noting, accepted: Accepted, from: NodeName): Accepted {
  for (const attack of accepted.attacks) parts.onAttack(attack)
  if (accepted.accepted.length > 0) parts.onAccepted?.(accepted.accepted)
  noteRefused(parts, accepted.refused, from)
  return accepted
}

/**
 * Passes a batch that the disk does not take to the parent at once, so that a full disk does not
 * silence a subtree. The child's reports count as taken only if the parent takes them.
 */
async function relayed(parts: Noting, inbox: Inbox, batch: ReportBatch, from: NodeName): Promise<ReportsAnswer> {
  const { passUp, accepted, refused } = note(parts, await inbox.judge(batch, from, { isOwn: false }), from)
  const envelopes = passUp.map(({ envelope }) => envelope)
  const own = refused.map(({ index, reason, retry }) => ({ index, reason, retry }))
  if (envelopes.length === 0) return { accepted: 0, refused: own, now: parts.clock.now() }
  const answer = await parts.send({ reports: envelopes, certificates: batch.certificates })
  const above = answer.refused.flatMap(({ index, ...why }) => {
    const at = batch.reports.indexOf(envelopes[index] as Envelope)
    return at < 0 ? [] : { index: at, ...why }
  })
  return { accepted: accepted.length, refused: [...own, ...above], now: parts.clock.now() }
}

function verifierFor({ identity, clock, isRevoked }: Pick<ReportsParts, 'identity' | 'clock' | 'isRevoked'>) {
  return (envelope: Envelope, certificates: ReportBatch['certificates']) => {
    const checks = { payloadType: reportPayloadType, certificates, ca: identity().tls.ca, now: clock.now() }
    const verified = verifyEnvelope(envelope, checks)
    if (isRevoked?.(verified.keyId) !== true) return verified
    throw new Failure('expired', `the key of ${verified.node} was revoked`)
  }
}

/**
 * One line for a batch, however many of its reports are refused. Those that were an attack are told
 * as one.
 */
function noteRefused(
  { log, onRefused, lines }: Pick<Noting, 'log' | 'onRefused' | 'lines'>,
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
