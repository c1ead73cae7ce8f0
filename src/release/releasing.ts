// What only a root does: publish packages, release the policy, keep the signed time fresh.

import { Failure, messageOf } from '../model/failure.ts'
import type { Knowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import type { Report } from '../model/report.ts'
import { manifestsOf, type Revision } from '../model/revision.ts'
import { type RolloutState, rolloutsBytes } from '../model/rollouts.ts'
import { loadManifest, specOf } from '../objects/manifests.ts'
import type { ObjectSource } from '../objects/object-source.ts'
import { conditionOf } from '../report/summary.ts'
import type { Compiled } from '../repository/policy.ts'
import type { Progress, Published } from '../repository/published.ts'
import type { Repository } from '../repository/repository.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Fleet } from '../trust/fleet.ts'
import { type Objects, sha256Of } from '../world/objects.ts'
import type { Clock, Disk, Log, Timer } from '../world/world.ts'
import { closureOf, type Unmet } from './closure.ts'
import { checkClosure, readBaseLists } from './closure-check.ts'
import { type ReleasePlan, releasePlanner } from './release-plan.ts'
import { checkRemovals, removalsOf } from './removals.ts'
import { changesBetween, type HistoryEntry, historyOf, type RevisionChanges, saySame } from './revision-changes.ts'
import { openRevisions } from './revisions.ts'
import { revisionAtOnce, revisionRollingOut, statesUnder } from './rollout-release.ts'
import type { Signed } from './signed-revision.ts'

export interface ReleaseParts {
  fleet: Fleet
  repository: Repository
  swarm: Swarm
  source: ObjectSource
  objects: Objects
  disk: Disk
  clock: Clock
  log: Log
  policyFile: string
  reports: () => AsyncIterable<Report>
  knowledge: () => Knowledge[]
  /** What was signed last; null before the first release. */
  signed: () => Promise<Signed | null>
  /** Shared with all that signs: two releases at once would take the same number. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
  trustedRevision: () => Sha256 | undefined
  /** The root takes its own metadata in like any other node. */
  refresh: () => Promise<void>
  /** Children will soon want payloads: an engine should be ready by then. */
  warmUp: () => void
}

export interface Released {
  number: number
  packages: number
  warnings: string[]
}

export interface ReleaseOptions {
  message: string
  allowRemovals: boolean
  /** Also packages that need what nodes would not have. */
  allowMissing?: boolean
  onStep: (step: string) => void
}

export interface Releasing {
  publish(
    path: string,
    options: { name?: string; version?: string; onProgress?: (progress: Progress) => void },
  ): Promise<Published>
  /**
   * What a release of the policy, or a rollback, would change now; signs nothing. Reports are read one after the other,
   * and other work has its turn.
   */
  plan(options?: { rollbackTo: number }): Promise<ReleasePlan & { unmet: Unmet[]; warnings: string[] }>
  release(options: ReleaseOptions): Promise<Released>
  /** An earlier revision's desired state again, as a new revision. The policy stays as it is. */
  rollback(options: ReleaseOptions & { revision: number }): Promise<Released>
  /** What was released, newest first, at most `limits.historyMax`. */
  history(): Promise<HistoryEntry[]>
  /** What revision `to` wants otherwise than revision `from`. */
  diff(from: number, to: number): Promise<RevisionChanges>
  stop(): void
}

export async function openReleasing(parts: ReleaseParts): Promise<Releasing> {
  let renewal: Timer | undefined
  let stopped = false
  const { inTurn } = parts
  const seed = async (digest: Sha256, manifest: Manifest) => {
    const spec = await specOf(parts.source, digest, manifest)
    if (spec !== null) await parts.swarm.adopt(spec)
  }
  const renewLater = () => {
    if (stopped) return
    const wait = parts.fleet.timestamp().renewAt - parts.clock.now()
    renewal = parts.clock.after(Math.min(Math.max(wait, 50), 24 * 3600_000), () => void inTurn(renew))
  }
  const renew = async () => {
    try {
      if (parts.clock.now() >= parts.fleet.timestamp().renewAt) {
        await parts.fleet.renewTimestamp()
        await parts.refresh()
      }
      renewLater()
    } catch (error) {
      parts.log.error('timestamp not renewed', { error: messageOf(error) })
      if (!stopped) renewal = parts.clock.after(limits.retryCeilingMs, () => void inTurn(renew))
    }
  }

  // A publish that was cut between storing and seeding is seeded now. One payload that is gone stops nothing else.
  for (const { manifest, manifestBody } of await parts.repository.holdings()) {
    try {
      await seed(manifest, manifestBody)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const { name, version } = manifestBody
      parts.log.error('package cannot be given out, publish it again', { name, version, error: error.message })
    }
  }
  renewLater()

  const revisions = openRevisions(parts)

  /** The present policy as the next revision. */
  const compile = async (message: string): Promise<Drafted> => {
    const text = await parts.disk.read(parts.policyFile, { maxBytes: limits.policyMaxBytes })
    const last = await revisions.newest()
    const number = (last?.body.number ?? 0) + 1
    const options = { file: parts.policyFile, number, released: parts.clock.now(), message }
    const { revision: draft, base, warnings } = await parts.repository.compile(text, options)
    if (last?.body.rollbackTo !== undefined) {
      const what = `revision ${last.body.number} was a rollback to revision ${last.body.rollbackTo}`
      warnings.unshift(`${what}; this puts ${parts.policyFile} in force again`)
    }
    const before = (await parts.signed())?.states ?? []
    const body = last?.body ?? null
    const revision = revisionRollingOut({ ...draft, ...(last && { previous: last.digest }) }, body, before)
    const states = statesUnder(revision, before, parts.clock.now())
    return { last: body, revision, states, base, warnings }
  }

  /** An earlier revision as the next one. What it names has to be there still. */
  const recall = async (number: number, message: string): Promise<Drafted> => {
    const last = await revisions.newest()
    const earlier = await revisions.find(number)
    if (last === null || last.body.number === number) {
      throw new Failure('conflict', `revision ${number} is the newest already`, { hint: 'see banyan history' })
    }
    const published = new Set((await parts.repository.holdings()).map(({ manifest }) => manifest))
    const gone = [...manifestsOf(revisionAtOnce(earlier))].find((manifest) => !published.has(manifest))
    if (gone !== undefined) throw new Failure('not-found', `revision ${number} needs what is not published any more`)
    // What went wrong reaches its end everywhere at once.
    const revision: Revision = {
      ...revisionAtOnce(earlier),
      number: last.body.number + 1,
      released: parts.clock.now(),
      message: message || `rollback to revision ${number}`,
      previous: last.digest,
      rollbackTo: number,
    }
    const warning = `${parts.policyFile} is left as it is and differs from this now; the next release puts it in force again`
    return { last: last.body, revision, states: [], base: null, warnings: [warning] }
  }

  const publishedManifests = async () => {
    const holdings = await parts.repository.holdings()
    return new Map(holdings.map(({ manifest, manifestBody }) => [manifest, manifestBody]))
  }
  const closureFor = async ({ revision, base }: Drafted, manifests: ReadonlyMap<Sha256, Manifest>) => {
    if (base === null) return null
    return closureOf({ revision, manifests, base: await readBaseLists(parts.disk, parts.policyFile, base) })
  }

  const publishRevision = async (drafted: Drafted, options: ReleaseOptions): Promise<Released> => {
    const { last, revision, states, warnings } = drafted
    const { number } = revision
    const closure = await closureFor(drafted, await publishedManifests())
    const reports: Report[] = []
    for await (const report of parts.reports()) {
      reports.push(report)
      closure?.take(report)
    }
    warnings.push(...checkClosure(closure?.unmet() ?? [], options.allowMissing === true, parts.policyFile))
    checkRemovals(removalsOf(revision, reports), options.allowRemovals)
    parts.warmUp()
    options.onStep('signing')
    const bytes = new TextEncoder().encode(JSON.stringify(revision))
    await parts.objects.put(bytes)
    await parts.fleet.publishRelease({ revision: bytes, rollouts: rolloutsBytes(states) })
    options.onStep('publishing')
    await parts.refresh()
    if (parts.trustedRevision() !== sha256Of(bytes)) {
      throw new Failure('disk', `revision ${number} is signed, but this root could not take it in itself`, {
        hint: 'see `banyan status` for what is wrong; it tries again by itself',
      })
    }
    if (last !== null && saySame(last, revision)) {
      warnings.push(`revision ${number} says the same as revision ${last.number}`)
    }
    const packages = new Set(revision.rules.flatMap((rule) => Object.keys(rule.packages))).size
    return { number, packages, warnings }
  }

  return {
    publish: (path, options) =>
      inTurn(async () => {
        const published = await parts.repository.publish(path, options)
        await seed(published.manifest, await loadManifest(parts.source, published.manifest))
        return published
      }),
    async plan(options) {
      const drafted = options === undefined ? await compile('') : await recall(options.rollbackTo, '')
      const { last, revision, warnings } = drafted
      const manifests = await publishedManifests()
      const closure = await closureFor(drafted, manifests)
      const before = last?.number ?? null
      const planner = releasePlanner({ revision, before, manifest: (digest) => manifests.get(digest) })
      for await (const report of parts.reports()) {
        planner.take(report)
        closure?.take(report)
      }
      const silent = parts.knowledge().filter((each) => conditionOf(each, parts.clock.now(), before) === 'silent')
      const unmet = closure?.unmet() ?? []
      const unknown = unmet.filter(({ state }) => state === 'unknown')
      warnings.push(...checkClosure(unknown, true, parts.policyFile))
      return { ...planner.plan(silent.map(({ node }) => node)), unmet, warnings }
    },
    release: (options) =>
      inTurn(async () => {
        options.onStep('compiling')
        return await publishRevision(await compile(options.message), options)
      }),
    rollback: (options) =>
      inTurn(async () => await publishRevision(await recall(options.revision, options.message), options)),
    async history() {
      const found = await revisions.list(limits.historyMax + 1)
      return historyOf(found.slice(0, limits.historyMax), found[limits.historyMax] ?? null)
    },
    diff: async (from, to) => changesBetween(await revisions.find(from), await revisions.find(to)),
    stop() {
      stopped = true
      renewal?.cancel()
    },
  }
}

interface Drafted {
  last: Revision | null
  revision: Revision
  /** Of its rollouts. */
  states: RolloutState[]
  /** Null if nothing is checked against it: what is rolled back to was checked before. */
  base: Compiled['base'] | null
  warnings: string[]
}
