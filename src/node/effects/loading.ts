// Loads what the policy consists of: trusted metadata, the revision, the states of rollouts,
// manifests.

import { limits } from '../../model/limits.ts'
import type { Sha256 } from '../../model/names.ts'
import type { Attack } from '../../model/report.ts'
import { loadManifests } from '../../objects/manifests.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import { needRevision, needRollouts } from '../../objects/signed-objects.ts'
import { attackOf, type Trust } from '../../trust/trust-store.ts'
import { askedMs } from '../../work/back-off.ts'
import { background, repeatable } from '../../work/background.ts'
import type { Clock, Log } from '../../world/world.ts'
import type { Uplink } from '../parent/uplink.ts'
import type { Event } from '../state/events.ts'
import type { State } from '../state/state.ts'
import { failureOf } from './failure-of.ts'
import { createWithholding, type Withholding } from './withholding.ts'

export interface LoadingParts {
  clock: Clock
  log: Log
  trust: Trust
  uplink: Pick<Uplink, 'tufFile' | 'parent' | 'saysCutOff' | 'turnAway'>
  source: ObjectSource
  state: () => State
  dispatch: (event: Event) => void
  lookWithin: (ms: number) => void
  onAttack: (attack: Omit<Attack, 'at'>) => void
}

export interface Loading {
  refresh(): void
  /** Starts a refresh and resolves once it has ended. Never throws. */
  refreshed(): Promise<void>
  loadRevision(digest: Sha256): void
  loadRollouts(digest: Sha256): void
  /** Of the revision in force, those that this node needs. */
  loadManifests(): void
  /**
   * Dispatches `load-failed`. Where another try may succeed, a look follows. `what` names the
   * object for a person.
   */
  failed(what: string, error: unknown): void
  /** Resolves once nothing is being refreshed and no manifest is being loaded. */
  stop(): Promise<void>
}

/**
 * Every method returns at once, but for `refreshed` and `stop`. Results are dispatched as events.
 */
export function startLoading(parts: LoadingParts): Loading {
  const { log, source, dispatch } = parts
  const failed = (what: string, error: unknown) => loadHasFailed(parts, what, error)
  const withholding = createWithholding(parts.clock)
  const refreshing = repeatable('refresh', log, () => refresh(parts, withholding))
  const loadingManifests = repeatable('load manifests', log, async () => {
    const { revision, desired, earlier } = parts.state()
    if (revision === null) return
    const wanted = [desired, ...earlier].flat()
    const digests = new Set(wanted.flatMap((each) => (each.state === 'present' ? [each.manifest] : [])))
    try {
      const manifests = await loadManifests(source, digests)
      dispatch({ kind: 'manifests-loaded', revision: revision.body.number, manifests })
    } catch (error) {
      failed('manifests', error)
    }
  })
  const loadRevision = async (digest: Sha256) => {
    try {
      dispatch({ kind: 'revision-loaded', digest, revision: await needRevision(source, digest) })
    } catch (error) {
      failed('revision', error)
    }
  }
  const loadRollouts = async (digest: Sha256) => {
    try {
      dispatch({ kind: 'rollouts-loaded', digest, rollouts: await needRollouts(source, digest) })
    } catch (error) {
      failed('rollouts', error)
    }
  }
  return {
    refresh: refreshing.ask,
    async refreshed() {
      refreshing.ask()
      await refreshing.settled()
    },
    loadRevision: (digest) => background('load revision', log, loadRevision(digest)),
    loadRollouts: (digest) => background('load rollouts', log, loadRollouts(digest)),
    loadManifests: loadingManifests.ask,
    failed,
    async stop() {
      await Promise.all([refreshing.settled(), loadingManifests.settled()])
    },
  }
}

/** One refresh. After a bad offer another parent is asked soon, where there is one. */
async function refresh(parts: LoadingParts, withholding: Withholding): Promise<void> {
  const { log, trust, uplink, dispatch, lookWithin, onAttack } = parts
  try {
    const trusted = await trust.refresh(uplink.tufFile)
    for (const attack of withholding.offeredNew(uplink.parent()?.node ?? null, trusted)) onAttack(attack)
    dispatch({ kind: 'refreshed', trusted })
  } catch (error) {
    const failure = failureOf(error, log)
    const attack = attackOf(failure)
    if (attack !== undefined) {
      const from = uplink.parent()?.node ?? 'parent'
      const detail = failure.message
      if (attack === 'frozen') withholding.offeredOld(from, { detail, saidCutOff: uplink.saysCutOff() })
      else onAttack({ kind: attack, from, detail })
      uplink.turnAway()
      lookWithin(limits.turnedAwayLookMs)
    }
    dispatch({ kind: 'refresh-failed', failure })
  }
}

function loadHasFailed({ log, dispatch, lookWithin }: LoadingParts, what: string, error: unknown): void {
  const failure = failureOf(error, log)
  dispatch({ kind: 'load-failed', what, failure })
  if (failure.retry !== 'later') return
  // On a full disk an early try would fetch everything again and have no room for it again.
  const ms = failure.code === 'no-space' ? limits.failedRetryMs : limits.loadRetryMs
  lookWithin(Math.max(ms, askedMs(failure, 0)))
}
