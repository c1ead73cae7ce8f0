// Sends the reports in the outbox to the parent, one batch after the other, with back-off while the
// parent takes none.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, NodeName } from '../../model/names.ts'
import type { ReportBatch } from '../../model/report.ts'
import type { ReportsAnswer } from '../../model/wire/reports-answer.ts'
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

/** What a parent made of a batch. */
export interface Answered {
  accepted: NodeName[]
  refused: { node: NodeName; reason: string; retry: 'later' | 'never' }[]
  /** How far this machine's clock is ahead of the parent's; below zero if it is behind. */
  clockAheadMs?: number
  /** Nodes whose reports go another way by now. */
  moved?: NodeName[]
  /** See `ReportsAnswer`. */
  memory?: string
}

/** The time on the way counts for neither clock: half of it lies before the parent's answer. Pure. */
export function answeredOf(
  nodes: readonly NodeName[],
  { refused, now: parentNow, moved = [], memory }: Pick<ReportsAnswer, 'refused' | 'now' | 'moved' | 'memory'>,
  { askedAt, now }: { askedAt: Instant; now: Instant },
): Answered {
  const named = refused.flatMap(({ index, reason, retry }) => {
    const node = nodes[index]
    return node === undefined ? [] : { node, reason, retry }
  })
  const out = new Set(named.map(({ node }) => node))
  return {
    accepted: nodes.filter((node) => !out.has(node)),
    refused: named,
    ...(moved.length > 0 && { moved: moved.map(({ node }) => node) }),
    ...(memory !== undefined && { memory }),
    ...(parentNow !== undefined && { clockAheadMs: Math.round((askedAt + now) / 2) - parentNow }),
  }
}

/**
 * How long to wait before the next batch. A thin link would carry nothing but reports while many
 * packages change; a backlog of other nodes' reports does not wait. `waiting`: of other nodes. Pure.
 */
export function pauseAfterMs(tookMs: number, { sent, waiting }: { sent: number; waiting: number }): number {
  if (tookMs <= limits.reportsQuickMs || waiting >= sent) return 0
  return Math.min(tookMs * (1 / limits.reportsSendingShare - 1), limits.reportsPauseMaxMs)
}

export function startReportSending(parts: {
  clock: Clock
  random: Random
  log: Log
  outbox: Outbox
  send: (batch: ReportBatch) => Promise<ReportsAnswer>
  /** What the parent made of the reports of these nodes. */
  onAnswered: (answered: Answered) => void
  /** The outbox has room again. */
  onSent: () => void
  /** Nodes whose reports go another way by now. */
  onMoved: (moved: NonNullable<ReportsAnswer['moved']>) => void
  /** Refused reports are sent again from now on; those of this node may be made anew. */
  onRetry: () => void
}): ReportSending {
  const { clock, random, log, outbox } = parts
  let retry: Timer | undefined
  let retryRefused: Timer | undefined
  let stopped = false
  let failures = 0
  let pausedUntilMs = 0

  const retryLater = () => {
    retryRefused ??= clock.after(limits.refusedRetryMs, () => {
      retryRefused = undefined
      outbox.retry()
      parts.onRetry()
      sending.ask()
    })
  }

  const sending = repeatable('send reports', log, async () => {
    while (!stopped) {
      const pauseMs = pausedUntilMs - clock.monotonicMs()
      if (pauseMs > 0) {
        retry?.cancel()
        retry = clock.after(pauseMs, sending.ask)
        return
      }
      const outgoing = await outbox.take()
      if (outgoing === undefined) return
      let answer: ReportsAnswer
      const [askedAt, sinceMs] = [clock.now(), clock.monotonicMs()]
      try {
        answer = await parts.send(outgoing.batch)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        log.debug('reports not sent', { error: error.message, waiting: outbox.size() })
        failures += 1
        retry?.cancel()
        if (!stopped) retry = clock.after(retryDelayMs(failures, random.fraction(), error), sending.ask)
        return
      }
      failures = 0
      const answered = answeredOf(outgoing.nodes, answer, { askedAt, now: clock.now() })
      parts.onAnswered(answered)
      if (answer.moved !== undefined) parts.onMoved(answer.moved)
      // Of a node that moved away the parent gets newer reports another way.
      const isOver = (node: NodeName) => answered.moved?.includes(node) === true
      const waits = answered.refused.filter(({ node, retry }) => retry === 'later' && !isOver(node))
      await outgoing.acknowledge(new Set(waits.map(({ node }) => node)))
      parts.onSent()
      if (answered.refused.length > 0) retryLater()
      const counts = { sent: outgoing.nodes.length, waiting: outbox.sizeBeside(new Set(outgoing.nodes)) }
      pausedUntilMs = clock.monotonicMs() + pauseAfterMs(clock.monotonicMs() - sinceMs, counts)
    }
  })
  sending.ask()
  return {
    ask: sending.ask,
    async stop() {
      stopped = true
      retry?.cancel()
      retryRefused?.cancel()
      await sending.settled()
    },
  }
}
