// What a node knows at a moment: a plain value. Only `transition` makes the next one.

import type { DesiredPackage } from '../../model/desired.ts'
import type { Manifest } from '../../model/manifest.ts'
import type { InfoHash, Instant, Labels, NodeName, Sha256 } from '../../model/names.ts'
import type { Attack, Outcome, Refusal } from '../../model/report.ts'
import type { MachineNeeds } from '../../model/restarts.ts'
import type { Revision } from '../../model/revision.ts'
import type { RolloutState } from '../../model/rollouts.ts'
import type { InstalledRecord } from '../../reconcile/actual.ts'
import type { Difference } from '../../reconcile/differences.ts'
import type { Plan } from '../../reconcile/plan.ts'
import type { Quarantined } from '../../reconcile/quarantine.ts'
import type { KeptRestart } from '../../reconcile/restarts.ts'
import type { TrustedState } from '../../trust/trust-store.ts'
import type { Facts } from '../../world/world.ts'

/**
 * The way to the parent. `seeking`: no parent has answered since the start. `island`: none answers
 * now.
 */
export type Link =
  | { kind: 'root' }
  | { kind: 'seeking' }
  | { kind: 'connected'; parent: NodeName }
  | { kind: 'island'; since: Instant; because: string }

/** A payload of a swarm that a child wants, named by its manifest. */
export interface WantedSwarm {
  infoHash: InfoHash
  manifest: Sha256
}

/** The kind of work that has a problem. A node keeps one problem of each kind. */
export type ProblemSource =
  | 'refresh'
  | 'load'
  | 'inspect'
  | 'unread'
  | 'apply'
  | 'transfer'
  | 'room'
  | 'disk'
  | 'database'
  | 'revocations'
  | 'clones'
  | 'siblings'
  | 'parent'
  | 'certificate'
  | 'report'
  | 'clock'
  | 'children'
  | 'unwritable'

export interface State {
  name: NodeName
  labels: Labels
  /** The longest time between two looks at the machine. */
  checkIntervalMs: number
  /** The site of the settings, by which the policy knows this node. Null without such a setting. */
  site: string | null
  /**
   * The site at which the parent's tracker sees this node; null until the tracker has answered. It
   * serves the swarm and never the policy, because the parent could claim anything.
   */
  siteSeen: string | null
  /** Null until they are collected for the first time in this node's life. */
  facts: Facts | null
  link: Link
  /** The parent that reports were last sent to. Another parent does not have them. */
  /** What the parent's database is called; null while that is not known. */
  reportedMemory: string | null
  reportedTo: NodeName | null
  /** The newest metadata that was verified; null before the first. */
  trusted: TrustedState | null
  /** Why the last refresh was refused, until one succeeds. */
  refused: string | null
  /** The revision in force. `named`: the digests of all manifests that it names, for any node. */
  revision: { digest: Sha256; body: Revision; named: ReadonlySet<Sha256> } | null
  /** The signed state of the rollouts, as it was loaded last. */
  rollouts: { digest: Sha256; states: RolloutState[] } | null
  /** What the revision in force wants of this node. */
  desired: DesiredPackage[]
  /**
   * What earlier revisions wanted of this node, the newest first. Only packages that are being
   * rolled out.
   */
  earlier: DesiredPackage[][]
  /** The manifests of `desired` and `earlier`, by digest; null until all of them are here. */
  manifests: ReadonlyMap<Sha256, Manifest> | null
  /** The swarms that children announced and do not have all of. */
  childrenWant: WantedSwarm[]
  /** The packages that banyan has installed here. */
  records: InstalledRecord[]
  /** The result of the last look at the machine; null before the first. */
  seen: { revision: number; differences: Difference[]; plan: Plan } | null
  /** The newest outcome of each package, sorted by name. */
  outcomes: Outcome[]
  /** The units that the policy had restarted, and those that are still to be restarted. */
  restarts: readonly KeptRestart[]
  /**
   * The end of what programs printed in the last apply if something failed in it; null otherwise.
   */
  output: string | null
  /** What the machine needs (a reboot, restarts), by the last look; null before the first. */
  needs: MachineNeeds | null
  /** Whether an apply is running. None is started meanwhile. */
  applying: boolean
  /** The payloads that the last apply found wrong. No package fails for the first time that it is. */
  damaged: readonly Sha256[]
  /** Whether such payloads are being read again. No apply is started meanwhile. */
  rechecking: boolean
  /** Packages that failed and are left alone for a while. */
  quarantine: readonly Quarantined[]
  /** No apply starts before this moment of the monotonic clock; null if one may start now. */
  applyNotBeforeMs: number | null
  /** The newest revision that this machine had no difference to; null before the first. */
  converged: number | null
  /** The attacks seen last, the newest at the end. */
  attacks: Attack[]
  /** By node: attacks that it has seen up to then (by its own clock) were looked at by a person. */
  acknowledged: Readonly<Record<NodeName, Instant>>
  /** The reports that this node refuses, one for each child or descendant, the newest at the end. */
  refusals: readonly Refusal[]
  /** What the parent refuses of the reports of this node and its subtree, by node. */
  refusedAbove: Readonly<Record<NodeName, string>>
  /** How far this machine's clock is ahead of the parent's; 0 within `limits.clockToldMs`. */
  clockAheadMs: number
  /** The sources whose problem is that a disk of this machine failed. */
  ofDisk: readonly ProblemSource[]
  /** What is wrong right now, in words for a person. */
  problems: Readonly<Partial<Record<ProblemSource, string>>>
}

/** The state of a node that has neither loaded nor learned anything yet. Pure. */
export function initialState(options: {
  name: NodeName
  labels: Labels
  site: string | null
  isRoot: boolean
  checkIntervalMs: number
}): State {
  return {
    name: options.name,
    labels: options.labels,
    checkIntervalMs: options.checkIntervalMs,
    site: options.site,
    siteSeen: null,
    facts: null,
    link: options.isRoot ? { kind: 'root' } : { kind: 'seeking' },
    reportedMemory: null,
    reportedTo: null,
    trusted: null,
    refused: null,
    revision: null,
    rollouts: null,
    desired: [],
    earlier: [],
    manifests: null,
    childrenWant: [],
    records: [],
    seen: null,
    outcomes: [],
    restarts: [],
    output: null,
    needs: null,
    applying: false,
    damaged: [],
    rechecking: false,
    quarantine: [],
    applyNotBeforeMs: null,
    converged: null,
    attacks: [],
    acknowledged: {},
    refusals: [],
    refusedAbove: {},
    clockAheadMs: 0,
    ofDisk: [],
    problems: {},
  }
}
