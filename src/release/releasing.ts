// What only a root does: publishes packages, releases the policy, and keeps the signed time fresh.

import { limits } from '../model/limits.ts'
import { loadManifest } from '../objects/manifests.ts'
import type { ObjectSource } from '../objects/object-source.ts'
import type { Published, PublishOptions } from '../repository/published.ts'
import type { Repository } from '../repository/repository.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { Clock, Disk, Log } from '../world/world.ts'
import { type DraftParts, draftOfPolicy, draftOfRollback } from './drafts.ts'
import { type PlannedRelease, type PlanningParts, planDraft } from './planning.ts'
import { type Recovered, type RecoveringParts, recover } from './recovering.ts'
import { changesBetween, type HistoryEntry, historyOf, type RevisionChanges } from './revision-changes.ts'
import { createRevisions } from './revisions.ts'
import { damageWarnings, type SeedingParts, seed, seedPublished } from './seeding.ts'
import { type Released, type ReleaseOptions, type SigningParts, signDraft } from './signing.ts'
import { startTimestampRenewal } from './timestamp-renewal.ts'

export interface ReleaseParts
  extends SigningParts,
    PlanningParts,
    SeedingParts,
    RecoveringParts,
    Omit<DraftParts, 'revisions'> {
  fleet: Fleet
  repository: Repository
  swarm: SeedingParts['swarm']
  objects: RecoveringParts['objects'] & SigningParts['objects']
  source: ObjectSource
  disk: Disk
  clock: Clock
  log: Log
  /** Shared with everything that signs: two releases at once would take the same number. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
}

export interface Releasing {
  /**
   * Publishes the package at `path` and seeds its payload. Throws what `Repository.publish` throws.
   */
  publish(
    path: string,
    options: Pick<PublishOptions, 'name' | 'version' | 'target' | 'onProgress' | 'signal'>,
  ): Promise<Published>
  /** What a release of the policy, or a rollback, would change now. Signs nothing. */
  plan(options?: { rollbackTo: number }): Promise<PlannedRelease>
  /** Signs the policy as the next revision. Throws what `draftOfPolicy` and `signDraft` throw. */
  release(options: ReleaseOptions): Promise<Released>
  /**
   * Signs an earlier revision's desired state again, as the next revision. The policy file stays as
   * it is.
   */
  rollback(options: ReleaseOptions & { revision: number }): Promise<Released>
  /**
   * Goes on above what the fleet has seen of a root that was restored from an older copy; see
   * recovering.ts.
   */
  recover(): Promise<Recovered | null>
  /** Seeds what could not be seeded at the start: children may have brought what was lost. */
  seedAgain(): Promise<void>
  /** The released revisions, newest first, at most `limits.historyMax`. */
  history(): Promise<HistoryEntry[]>
  /** How revision `to` differs from revision `from`. Throws `not-found`. */
  diff(from: number, to: number): Promise<RevisionChanges>
  stop(): void
}

export async function startReleasing(parts: ReleaseParts): Promise<Releasing> {
  const { inTurn } = parts
  const revisions = createRevisions(parts)
  const drafting = { ...parts, revisions }
  let unseeded = await seedPublished(parts, await parts.repository.holdings())
  const renewal = startTimestampRenewal(parts)
  const withDamage = (released: Released): Released => ({
    ...released,
    warnings: [...released.warnings, ...damageWarnings(parts)],
  })

  return {
    // Reading a package may take long, and no release waits for it: only storing takes its turn.
    publish: (path, options) =>
      parts.repository.publish(path, {
        ...options,
        storing: (work) =>
          inTurn(async () => {
            const published = await work()
            await seed(parts, published.manifest, await loadManifest(parts.source, published.manifest))
            return published
          }),
      }),
    async plan(options) {
      const draft =
        options === undefined
          ? await draftOfPolicy(drafting, '')
          : await draftOfRollback(drafting, options.rollbackTo, '')
      return await planDraft(parts, draft)
    },
    release: (options) =>
      inTurn(async () => {
        options.onStep('compiling')
        return withDamage(await signDraft(parts, await draftOfPolicy(drafting, options.message), options))
      }),
    rollback: (options) =>
      inTurn(async () => {
        const draft = await draftOfRollback(drafting, options.revision, options.message)
        return withDamage(await signDraft(parts, draft, options))
      }),
    recover: () => recover(parts),
    seedAgain: async () => {
      if (unseeded.length > 0) unseeded = await seedPublished(parts, unseeded)
    },
    async history() {
      const found = await revisions.list(limits.historyMax + 1)
      return historyOf(found.slice(0, limits.historyMax), found[limits.historyMax] ?? null)
    },
    diff: async (from, to) => changesBetween(await revisions.find(from), await revisions.find(to)),
    stop: () => renewal.stop(),
  }
}
