// Reports of the subtree: the newest of each node, as the node signed it. Of all of them only the
// gist is in memory.

import type { Knowledge } from '../model/knowledge.ts'
import type { Instant, NodeName } from '../model/names.ts'
import type { Attack, Report, ReportBatch } from '../model/report.ts'
import { takingTurns } from '../work/turns.ts'
import type { Clock, Store } from '../world/world.ts'
import { openInboxRoom, type Recovery } from './inbox-room.ts'
import { attacksIn, emptySorted, type Refused, type Sorted, sortInto, type VerifyEnvelope } from './incoming.ts'
import { createMovements, type Moved } from './moved.ts'
import { reportIn, type SignedReport } from './signed-report.ts'

export interface InboxParts {
  /** A room of its own. */
  store: Store
  verify: VerifyEnvelope
  clock: Pick<Clock, 'now' | 'after'>
  /** How far ahead of our clock a report may claim that it was made. */
  maxFutureMs: number
  /** Whether one more report of this node may be taken now; always, if absent. */
  mayReport?: (node: NodeName) => boolean
}

export interface Accepted {
  /** The nodes of which something newer is known now, sorted. */
  accepted: NodeName[]
  /**
   * What goes on to this node's own parent: the accepted reports, and duplicates, because the first
   * copy may not have reached the parent.
   */
  passUp: SignedReport[]
  /** At most one of each kind. */
  attacks: Attack[]
  refused: Refused[]
}

export interface Inbox {
  /**
   * Stores the reports that a child, or this node itself, hands over. They are durable when this
   * returns, and all of the batch but the refused ones may then be acknowledged. In whatever order
   * and however often reports arrive, the newest of each node stays.
   */
  accept(batch: ReportBatch, from: NodeName): Promise<Accepted>
  /**
   * The same without storing anything, for a disk that takes nothing. `isOwn`: the gist of a report
   * of this node itself is kept in memory. What a child hands over is not: it would count as a
   * duplicate when it comes again to be stored.
   */
  judge(batch: ReportBatch, from: NodeName, options: { isOwn: boolean }): Promise<Accepted>
  /** The nodes that report through another child than this one by now. */
  awayFrom(child: NodeName): Moved[]
  /**
   * Forgets the nodes whose newer reports go another way, so that they are not listed as silent
   * here. Those who are left too are told with the next answer.
   */
  left(moved: readonly Moved[]): Promise<void>
  /** Sorted by name. */
  knowledge(): Knowledge[]
  knowledgeOf(node: NodeName): Knowledge | undefined
  /** Whether reports of other nodes came through this child. */
  hasBelow(child: NodeName): boolean
  /** The newest report of a node. */
  report(node: NodeName): Promise<Report | undefined>
  /** The newest report of every node, read one after the other. */
  reports(): AsyncIterable<Report>
  /** The newest report of a node, as the node signed it. */
  signed(node: NodeName): Promise<SignedReport | undefined>
  /** Removes what is known of a node that no longer belongs to this fleet. */
  forget(node: NodeName): Promise<void>
  /**
   * The database was damaged: stores again what is in memory, and knows what it can of the nodes
   * whose gists are gone.
   */
  recover(recovery: Recovery): Promise<void>
}

/** How many signatures are checked before other work gets a turn. */
const checkedAtOnce = 32

/** Throws a `bad-input` Failure if the room holds something else than an inbox. */
export async function openInbox(parts: InboxParts): Promise<Inbox> {
  const { store, clock } = parts
  const inTurn = takingTurns()
  const movements = createMovements()
  const room = await openInboxRoom(store)
  const { known } = room
  const storeNewest = async (newest: Sorted['newest']) => {
    const before = new Map([...newest.keys()].map((node) => [node, known.get(node)?.via]))
    await room.storeReports([...newest.values()])
    for (const [node, { knowledge }] of newest) {
      const { counter, via } = knowledge
      const child = before.get(node)
      if (child !== undefined && child !== via) movements.note({ node, counter }, child, via, clock.now())
    }
  }

  return {
    accept: (batch, from) =>
      inTurn(async () => {
        const sorted = await sortedBatch(batch, from, parts, known)
        await storeNewest(sorted.newest)
        await room.storeGists([...sorted.sighted.values()])
        await room.storeLost(sorted.duplicates)
        return acceptedOf(sorted, from, clock.now())
      }),

    judge: (batch, from, { isOwn }) =>
      inTurn(async () => {
        const sorted = await sortedBatch(batch, from, parts, known)
        if (isOwn) for (const [node, { knowledge }] of sorted.newest) known.set(node, knowledge)
        return acceptedOf(sorted, from, clock.now())
      }),

    knowledge: () => [...known.values()].sort((a, b) => (a.node < b.node ? -1 : 1)),
    knowledgeOf: (node) => known.get(node),
    hasBelow: (child) => known.hasBelow(child),

    async report(node) {
      const signed = await room.signed(node)
      return signed === undefined ? undefined : reportIn(signed)
    },

    async *reports() {
      for await (const signed of room.allSigned()) yield reportIn(signed)
    },

    signed: room.signed,

    forget: (node) => inTurn(() => room.forget(node)),

    recover: (recovery) => inTurn(() => room.recover(recovery)),

    awayFrom: (child) => movements.awayFrom(child, clock.now()),

    left: (moved) =>
      inTurn(async () => {
        for (const { node, counter } of moved) {
          const here = known.get(node)
          if (here === undefined || here.counter >= counter) continue
          if (here.via !== node) movements.note({ node, counter }, here.via, '', clock.now())
          await room.forget(node)
        }
      }),
  }
}

function acceptedOf(sorted: Sorted, from: NodeName, now: Instant): Accepted {
  const newest = [...sorted.newest.values()].map(({ signed }) => signed)
  const duplicates = [...sorted.duplicates.values()].filter(({ node }) => !sorted.newest.has(node))
  return {
    accepted: [...sorted.newest.keys()].sort(),
    passUp: [...newest, ...duplicates],
    attacks: attacksIn(sorted, from, now),
    refused: sorted.refused,
  }
}

async function sortedBatch(
  { reports, certificates }: ReportBatch,
  from: NodeName,
  { verify, clock, maxFutureMs, mayReport = () => true }: InboxParts,
  known: ReadonlyMap<NodeName, Knowledge>,
): Promise<Sorted> {
  const sorted = emptySorted()
  for (const [index, envelope] of reports.entries()) {
    if (index % checkedAtOnce === checkedAtOnce - 1) await new Promise<void>((resolve) => clock.after(0, resolve))
    sortInto(sorted, envelope, { index, verify, mayReport, now: clock.now(), maxFutureMs, certificates, from, known })
  }
  return sorted
}
