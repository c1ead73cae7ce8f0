// The closed lists of what can happen to a node (`Event`) and of what the node does about it
// (`Effect`).

import type { Failure } from '../../model/failure.ts'
import type { Manifest } from '../../model/manifest.ts'
import type { InfoHash, Instant, NodeName, PackageName, Sha256 } from '../../model/names.ts'
import type { Attack, Outcome } from '../../model/report.ts'
import type { Revision } from '../../model/revision.ts'
import type { RolloutState } from '../../model/rollouts.ts'
import type { InstalledRecord } from '../../reconcile/actual.ts'
import type { LookResult } from '../../reconcile/machine-look.ts'
import type { Plan } from '../../reconcile/plan.ts'
import type { Moment, Quarantined } from '../../reconcile/quarantine.ts'
import type { KeptRestart } from '../../reconcile/restarts.ts'
import type { TrustedState } from '../../trust/trust-store.ts'
import type { Facts } from '../../world/world.ts'
import type { Remembered } from './remembered.ts'
import type { State, WantedSwarm } from './state.ts'

/** The answer of `transition`: the next state, and what to do about it in this order. */
export type Next = [state: State, effects: Effect[]]

/** One thing that has happened to a node. */
export type Event =
  /** What the former daemon has saved. */
  | {
      kind: 'started'
      records: InstalledRecord[]
      converged: number | null
      quarantine: Quarantined[]
      restarts?: KeptRestart[]
      remembered: Remembered
    }
  /** No apply of a former daemon runs any more, and the results of those applies are recorded. */
  | { kind: 'earlier-finished' }
  | { kind: 'facts-collected'; facts: Facts }
  /** The parent's metadata (a root's own) was verified. It may be the same as before. */
  | { kind: 'refreshed'; trusted: TrustedState }
  | { kind: 'refresh-failed'; failure: Failure }
  /** `digest` is the digest of the revision object. */
  | { kind: 'revision-loaded'; digest: Sha256; revision: Revision }
  /** The signed state of the rollouts that the trusted metadata names. */
  | { kind: 'rollouts-loaded'; digest: Sha256; rollouts: RolloutState[] }
  /** All manifests that this node needs under the revision of this number. */
  | { kind: 'manifests-loaded'; revision: number; manifests: ReadonlyMap<Sha256, Manifest> }
  /** `what` names the object for a person. */
  | { kind: 'load-failed'; what: string; failure: Failure }
  /** A payload is here whole and verified. */
  | { kind: 'payload-arrived'; sha256: Sha256 }
  /** The set of payloads that are here, wholly or in part, has changed. */
  | { kind: 'holding-changed' }
  /** Nobody who can be reached has what is missing of a payload, or somebody has it again. */
  | { kind: 'reach-changed' }
  /** The swarms that children announced and do not have all of. */
  | { kind: 'children-wanted'; wanted: WantedSwarm[] }
  /** A node has dialled this node for a payload. */
  | { kind: 'peer-met'; infoHash: InfoHash; node: NodeName }
  /** The wire to a node has ended although one of the two lacks pieces of this payload. */
  | { kind: 'peer-parted'; infoHash: InfoHash; node: NodeName }
  /** Reports of these nodes, the newest known of each, were accepted. */
  | { kind: 'reports-accepted'; nodes: NodeName[] }
  /** Reports of these nodes were refused here. They were no attack. */
  | { kind: 'reports-refused'; refused: { node: NodeName; reason: string }[]; at: Instant }
  /**
   * The parent has answered a batch of reports. `clockAheadMs`: how far this machine's clock is ahead
   * of the parent's, where the parent says.
   */
  | {
      kind: 'reports-answered'
      accepted: NodeName[]
      refused: { node: NodeName; reason: string }[]
      clockAheadMs?: number
      /** Nodes whose reports go another way by now. */
      moved?: NodeName[]
      /** See `ReportsAnswer`. */
      memory?: string
    }
  /**
   * The result of a look at the machine. `rollouts` is the digest of the rollout state that the
   * look went by.
   */
  | ({ kind: 'inspected'; revision: number; rollouts: Sha256 | null } & LookResult)
  | { kind: 'inspect-failed'; failure: Failure }
  /** An apply has ended, with whatever outcomes, and its results are recorded. */
  | {
      kind: 'applied'
      plan: Plan
      outcomes: Outcome[]
      /** The payloads of the store that are not what was signed, or not there. */
      damaged?: readonly Sha256[]
      records: InstalledRecord[]
      restarts?: KeptRestart[]
      output?: string
      moment: Moment
    }
  /** The payloads that an apply found wrong were read again, and what is wrong is being fetched. */
  | { kind: 'rechecked' }
  /** An apply could not be started, or its results could not be recorded. */
  | { kind: 'apply-failed'; failure: Failure; monotonicMs: number }
  | { kind: 'parent-answered'; parent: NodeName }
  | { kind: 'parent-lost'; failure: Failure; at: Instant }
  /** The site that the parent's tracker sees this node at. */
  | { kind: 'site-seen'; site: string }
  | { kind: 'attack-seen'; attack: Attack }
  | { kind: 'transfer-failed'; name: PackageName; because: string }
  /** What does not fit on the disk, in words for a person; null if everything fits. */
  | { kind: 'room-looked'; problem: string | null }
  /** Something could not be stored. */
  | { kind: 'store-failed'; failure: Failure }
  /** Why the home folder cannot be written, in words for a person; null if it can. */
  | { kind: 'disk-probed'; problem: string | null }
  /** What the disk has damaged lately, in words for a person; null if nothing. */
  | { kind: 'disk-looked'; problem: string | null }
  /** The children whose word does not hold; null if there are none. */
  | { kind: 'children-judged'; problem: string | null }
  /** What happened to the database lately, in words for a person; null if nothing. */
  | { kind: 'database-looked'; problem: string | null }
  /** What happened to the list of keys that were turned away; null if nothing. */
  | { kind: 'revocations-looked'; problem: string | null }
  /** Why payloads do not come from siblings, in words for a person; null if siblings can be reached. */
  | { kind: 'siblings-looked'; problem: string | null }
  /** Which nodes run on several machines at once, in words for a person; null if none does. */
  | { kind: 'clones-looked'; problem: string | null }
  /** A new certificate is saved. */
  | { kind: 'certificate-renewed' }
  /** The root gives no new certificate. */
  | { kind: 'renewal-refused'; failure: Failure }
  /** Keys have been turned away of which this node did not know. */
  | { kind: 'revocations-learned' }
  /** A person has looked at the attacks that a node has seen up to then, by its clock. */
  | { kind: 'attacks-acknowledged'; node: NodeName; upTo: Instant }
  /** A person wants the differences removed now. */
  | { kind: 'asked-to-apply' }
  /** The time of the next look has come. */
  | { kind: 'look-due'; monotonicMs: number }

/** One thing to do. It is started at once, and its result comes back as an event. */
export type Effect =
  /** Fetch and verify the parent's metadata. */
  | { kind: 'refresh' }
  | { kind: 'load-revision'; digest: Sha256 }
  | { kind: 'load-rollouts'; digest: Sha256 }
  | { kind: 'load-manifests' }
  /** Tell the swarm which payloads have to be here, and fetch the small ones. */
  | { kind: 'hold' }
  /** Look at the machine. */
  | { kind: 'inspect' }
  | { kind: 'apply'; plan: Plan }
  /** Read these payloads of the store again, and fetch what is wrong; `rechecked` follows. */
  | { kind: 'recheck'; payloads: readonly Sha256[] }
  /** Look again within this time; an earlier look that is due already stays. */
  | { kind: 'look-later'; ms: number }
  /** Answer the children that wait in `watch`. */
  | { kind: 'tell-children' }
  /** Have an engine ready, because children will soon want payloads. */
  | { kind: 'warm-up' }
  /** Tell the swarm which payloads yield to all others. */
  | { kind: 'set-background' }
  /** Reckon the rates anew: the policy for this node may have changed. */
  | { kind: 'set-rates' }
  /** Use the renewed certificate on every connection. */
  | { kind: 'use-certificate' }
  /** Cut the wire to this node if it is not to take from this one. */
  | { kind: 'check-peer'; infoHash: InfoHash; node: NodeName }
  /** Tell the tracker that the wire has ended, and announce again if this node lacks pieces. */
  | { kind: 'note-parted'; infoHash: InfoHash; node: NodeName }
  /** Let the rollouts take the newer reports of these nodes into account. */
  | { kind: 'advance-rollouts'; nodes: NodeName[] }
  /** Find out whether the home folder can be written. */
  | { kind: 'probe-disk' }
  | { kind: 'save-converged'; revision: number }
  | { kind: 'save-quarantine' }
  /** Save site, facts and parent for the next start. */
  | { kind: 'remember' }
  /** Announce all swarms to the parent's tracker. */
  | { kind: 'announce' }
  /** Report, if there is news. */
  | { kind: 'report' }
  /** Send the newest report of every node of the subtree to a parent that may not have them. */
  | { kind: 'report-again' }
