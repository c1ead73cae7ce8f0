// Reports of this node and of its subtree: taken in, kept, and passed on to the parent. At a root they end.

import { limits } from '../../model/limits.ts'
import type { Instant, NodeName } from '../../model/names.ts'
import type { Attack, Envelope, Report, ReportBatch } from '../../model/report.ts'
import { type Inbox, openInbox } from '../../report/inbox.ts'
import { openOutbox } from '../../report/outbox.ts'
import { verifyEnvelope } from '../../trust/envelope.ts'
import type { NodeIdentity } from '../../trust/identity.ts'
import type { Clock, Log, Random, Store } from '../../world/world.ts'
import { reportPayloadType, startReporter } from './reporter.ts'

export interface Reports {
  inbox: Inbox
  /** What a child hands over. */
  take(batch: ReportBatch, from: NodeName): Promise<{ accepted: number }>
  /** This node may have something to say. */
  ask(): void
  /** All that is known of the subtree, to a parent that may not know it. */
  again(): Promise<void>
  stop(): Promise<void>
}

export async function openReports(parts: {
  clock: Clock
  random: Random
  log: Log
  store: Store
  isRoot: boolean
  self: NodeName
  identity: () => NodeIdentity
  build: (counter: number, at: Instant) => Report
  send: (batch: ReportBatch) => Promise<void>
  onAttack: (attack: Omit<Attack, 'at'>) => void
  onAccepted?: (nodes: NodeName[]) => void
}): Promise<Reports> {
  const { clock, random, log, store, isRoot, identity } = parts
  const verify = (envelope: Envelope, certificates: ReportBatch['certificates']) =>
    verifyEnvelope(envelope, {
      payloadType: reportPayloadType,
      certificates,
      ca: identity().tls.ca,
      now: clock.now(),
    })
  const inbox = await openInbox({ store: store.sub('inbox'), verify, clock, maxFutureMs: limits.reportFutureMs })
  const outbox = await openOutbox({ store: store.sub('outbox') })

  const take = async (batch: ReportBatch, from: NodeName) => {
    const { accepted, passUp, attacks, refused } = await inbox.accept(batch, from)
    for (const attack of attacks) parts.onAttack(attack)
    if (accepted.length > 0) parts.onAccepted?.(accepted)
    const [first] = refused
    if (first !== undefined) {
      const more = refused.length > 1 ? `, and ${refused.length - 1} more in one batch` : ''
      log.warn('report refused', { node: first.node, from, reason: `${first.reason}${more}` })
    }
    if (!isRoot && passUp.length > 0) {
      await outbox.put(passUp)
      reporter.flush()
    }
    return { accepted: accepted.length }
  }
  const reporter = startReporter({
    clock,
    random,
    log,
    store,
    identity,
    outbox,
    build: (counter) => parts.build(counter, clock.now()),
    take: async (batch) => void (await take(batch, parts.self)),
    send: parts.send,
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
      reporter.flush()
    },
    stop: reporter.stop,
  }
}
