// The second stage of a node: what goes up to its parent. Announces of its swarms, and reports of
// itself and its subtree.

import { limits } from '../model/limits.ts'
import type { Inbox } from '../report/inbox.ts'
import type { NodeParts } from './node-parts.ts'
import { type Announcer, startAnnouncer } from './parent/announcer.ts'
import { startClonesWatch } from './parent/clones.ts'
import { createDialGuard } from './parent/dial-guard.ts'
import { createLostExchange } from './parent/lost-exchange.ts'
import { startRenewal } from './parent/renewal.ts'
import { type Reports, startReports } from './parent/reports.ts'
import { createRevokedExchange } from './parent/revoked-exchange.ts'
import type { Uplink } from './parent/uplink.ts'
import { startWatcher } from './parent/watcher.ts'
import type { Self } from './self.ts'
import { reportFrom } from './state/report-from.ts'
import { siblingsProblemOf } from './state/siblings-problem.ts'

export interface ParentSide {
  announcer: Announcer
  reports: Reports
  inbox: Inbox
  stop(): Promise<void>
}

/** If the reports cannot be opened it throws, and nothing of it runs. */
export async function startParentSide(parts: NodeParts, uplink: Uplink, self: Self): Promise<ParentSide> {
  const { clock, random, log } = parts.world
  const { swarm, live, onAttack } = self
  const { state, dispatch } = live
  const { ownAddresses = () => [] } = parts
  const run = Buffer.from(random.bytes(8)).toString('hex')
  const reports = await startReports({
    ...{ clock, random, log, onAttack },
    store: parts.store,
    memory: parts.store.stamp,
    damage: parts.store,
    ...(parts.root && { admitted: parts.root.fleet.admitted }),
    isRoot: parts.root !== null,
    self: parts.settings.name,
    identity: parts.identity,
    isRevoked: parts.revocations.has,
    build: (counter, at) =>
      reportFrom({
        ...{ state: state(), counter, at, version: parts.version, transfers: swarm.transfers() },
        machine: {
          ...parts.machineMarks,
          run,
          addresses: [...new Set(ownAddresses())].slice(0, limits.machineAddressesMax),
        },
      }),
    send: (batch) => uplink.reports(batch),
    onAccepted: (nodes) => {
      dispatch({ kind: 'reports-accepted', nodes })
      clones.look(nodes)
    },
    onRefused: (refused) => dispatch({ kind: 'reports-refused', refused, at: clock.now() }),
    onUnsaved: (failure) => dispatch({ kind: 'store-failed', failure }),
    onAnswered: (answered) => dispatch({ kind: 'reports-answered', ...answered }),
  })
  const { inbox } = reports
  const clones = startClonesWatch({
    ...{ clock, knowledgeOf: inbox.knowledgeOf },
    onChange: (problem) => dispatch({ kind: 'clones-looked', problem }),
  })
  // Those that were told before a restart.
  clones.look(inbox.knowledge().map(({ node }) => node))
  const { site = null } = parts.settings
  const announcer = parts.root
    ? noAnnouncer
    : startAnnouncer({
        ...{ uplink, swarm, clock, random, log },
        ...{ site: () => site, ownAddresses, controlPort: () => self.ports.control },
        mayDial: createDialGuard({ monotonicMs: clock.monotonicMs, swarmPort: () => swarm.port, ownAddresses }).mayDial,
        onSiblings: (reach) => dispatch({ kind: 'siblings-looked', problem: siblingsProblemOf(reach) }),
        onSite: (seen) => {
          if (site === null) dispatch({ kind: 'site-seen', site: seen })
        },
      })
  return {
    ...{ announcer, reports, inbox },
    async stop() {
      clones.stop()
      await announcer.stop()
      await reports.stop()
    },
  }
}

/** A root has nobody to announce to. */
const noAnnouncer: Announcer = { soon() {}, soonIfNews() {}, async stop() {} }

/**
 * The last stage: what comes down from the parent. News of the policy and a certificate's renewal.
 * Both dispatch events and `refreshed` looks at the parent's metadata, so all that carries out
 * effects is there before.
 */
export function startNews(
  parts: NodeParts,
  { uplink, self, refreshed }: { uplink: Uplink; self: Self; refreshed: () => Promise<void> },
): { stop(): Promise<void> } {
  const { clock, random, log } = parts.world
  const { dispatch } = self.live
  const exchange = createRevokedExchange({ uplink, revocations: parts.revocations, log })
  const lostExchange = createLostExchange({ uplink, objects: parts.objects, trust: parts.trust, log })
  parts.revocations.onAdded((added) => {
    for (const { node } of added) log.info('a key was turned away', { node })
    dispatch({ kind: 'revocations-learned' })
    exchange.look()
  })
  const renewal = startRenewal({
    ...{ clock, random, log, uplink },
    identity: parts.identity,
    onRenewed: async (next) => {
      await parts.setIdentity(next)
      dispatch({ kind: 'certificate-renewed' })
    },
    onRefused: (failure) => dispatch({ kind: 'renewal-refused', failure }),
  })
  const watcher = parts.root
    ? null
    : startWatcher({
        ...{ uplink, clock, random, log },
        timestampVersion: () => parts.trust.current()?.timestampVersion ?? 0,
        refresh: refreshed,
        onAnswered: (parent) => {
          dispatch({ kind: 'parent-answered', parent })
          exchange.look()
          lostExchange.look()
        },
        onLost: (failure) => dispatch({ kind: 'parent-lost', failure, at: clock.now() }),
      })
  return {
    async stop() {
      await watcher?.stop()
      await exchange.stop()
      await lostExchange.stop()
      renewal.stop()
    },
  }
}
