// Sends the newest reports of a whole subtree again, for a parent that may not know them: as many at a
// time as the outbox has room for, with one write for each batch, and on after a restart.

import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import type { Inbox } from '../../report/inbox.ts'
import type { Outbox } from '../../report/outbox.ts'
import { repeatable } from '../../work/background.ts'
import type { Log, Store } from '../../world/world.ts'

export interface Resending {
  /** Begins anew, with all nodes. Resolves once that outlasts a restart. */
  begin(): Promise<void>
  /** The outbox may have room again. */
  goOn(): void
  stop(): Promise<void>
}

/** The node whose report is the next. Names are sorted, so a node that is new meanwhile is no matter. */
const nextKey = 'next'

export async function openResending({
  store,
  inbox,
  outbox,
  log,
  onReady,
}: {
  /** A room of its own. */
  store: Store
  inbox: Pick<Inbox, 'knowledge' | 'signed'>
  outbox: Pick<Outbox, 'put' | 'size'>
  log: Log
  /** There is something in the outbox. */
  onReady: () => void
}): Promise<Resending> {
  const stored = await store.get(nextKey)
  let next: NodeName | null = typeof stored === 'string' ? stored : null
  let stopped = false

  const working = repeatable('send reports again', log, async () => {
    while (next !== null && !stopped && outbox.size() + limits.reportBatchMax <= limits.outboxMax / 2) {
      const from: NodeName = next
      const names = inbox.knowledge().flatMap(({ node }) => (node >= from ? [node] : []))
      const signed = await Promise.all(names.slice(0, limits.reportBatchMax).map((node) => inbox.signed(node)))
      await outbox.put(signed.flatMap((each) => each ?? []))
      // Another beginning meanwhile counts.
      if (next !== from) continue
      next = names[limits.reportBatchMax] ?? null
      await (next === null ? store.delete(nextKey) : store.put(nextKey, next))
      onReady()
      log.info('reports of the subtree are sent again', { left: Math.max(0, names.length - limits.reportBatchMax) })
    }
  })
  if (next !== null) working.ask()
  return {
    async begin() {
      next = ''
      await store.put(nextKey, next)
      working.ask()
    },
    goOn() {
      if (next !== null) working.ask()
    },
    async stop() {
      stopped = true
      await working.settled()
    },
  }
}
