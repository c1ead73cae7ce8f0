// The closed list of what can happen to a node, and of what it can do about it.

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

/** A payload of a swarm that this node or its subtree wants, known by the manifest that names it. */
export interface WantedSwarm {
  infoHash: InfoHash
  manifest: Sha256
}

export type Event =
  | {
      kind: 'started'
      records: InstalledRecord[]
      converged: number | null
      quarantine: Quarantined[]
      restarts?: KeptRestart[]
      remembered: Remembered
    }
  /** No apply of a former daemon is at work any more, and what they came to is taken in. */
  | { kind: 'earlier-finished' }
  | { kind: 'facts-collected'; facts: Facts }
  /** The parent's (for a root: its own) metadata was verified; it may be the same as before. */
  | { kind: 'refreshed'; trusted: TrustedState }
  | { kind: 'refresh-failed'; failure: Failure }
  | { kind: 'revision-loaded'; digest: Sha256; revision: Revision }
  /** The signed state of the rollouts that the trusted metadata names. */
  | { kind: 'rollouts-loaded'; digest: Sha256; rollouts: RolloutState[] }
  | { kind: 'manifests-loaded'; revision: number; manifests: ReadonlyMap<Sha256, Manifest> }
  | { kind: 'load-failed'; what: string; failure: Failure }
  | { kind: 'payload-arrived'; sha256: Sha256 }
  | { kind: 'holding-changed' }
  | { kind: 'children-wanted'; wanted: WantedSwarm[] }
  /** `rollouts`: the digest of the state that the look went by. */
  | ({ kind: 'inspected'; revision: number; rollouts: Sha256 | null } & LookResult)
  | { kind: 'inspect-failed'; failure: Failure }
  | {
      kind: 'applied'
      plan: Plan
      outcomes: Outcome[]
      records: InstalledRecord[]
      restarts?: KeptRestart[]
      output?: string
      moment: Moment
    }
  | { kind: 'apply-failed'; failure: Failure; monotonicMs: number }
  | { kind: 'parent-answered'; parent: NodeName }
  | { kind: 'parent-lost'; failure: Failure; at: Instant }
  | { kind: 'site-seen'; site: string }
  | { kind: 'attack-seen'; attack: Attack }
  | { kind: 'transfer-failed'; name: PackageName; because: string }
  /** What does not fit on the disk, in words; null if everything does. */
  | { kind: 'room-looked'; problem: string | null }
  | { kind: 'certificate-renewed' }
  | { kind: 'asked-to-apply' }
  /** Time passed. */
  | { kind: 'look-due'; monotonicMs: number }

export type Effect =
  | { kind: 'refresh' }
  | { kind: 'load-revision'; digest: Sha256 }
  | { kind: 'load-rollouts'; digest: Sha256 }
  | { kind: 'load-manifests' }
  /** Tell the swarm which payloads have to be here, and fetch the small ones. */
  | { kind: 'hold' }
  | { kind: 'inspect' }
  | { kind: 'apply'; plan: Plan }
  | { kind: 'look-later'; ms: number }
  /** Children that hang in `watch` get their answer. */
  | { kind: 'tell-children' }
  /** Children will soon want payloads: an engine should be ready by then. */
  | { kind: 'warm-up' }
  | { kind: 'save-converged'; revision: number }
  | { kind: 'save-quarantine' }
  | { kind: 'announce' }
  /** Site, facts and place, for the next start. */
  | { kind: 'remember' }
  | { kind: 'report' }
  /** All that is known of the subtree, to a parent that may not know it. */
  | { kind: 'report-again' }
