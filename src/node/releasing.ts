// What only a root does: publish packages, release the policy, keep the signed time fresh.

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import type { Report } from '../model/report.ts'
import type { Revision } from '../model/revision.ts'
import type { Knowledge } from '../report/knowledge.ts'
import { conditionOf } from '../report/summary.ts'
import type { Progress, Published, Repository } from '../repository/repository.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { Objects } from '../world/objects.ts'
import type { Clock, Disk, Log, Timer } from '../world/world.ts'
import type { ObjectSource } from './object-source.ts'
import { loadManifest, specOf } from './payloads.ts'
import { type ReleasePlan, releasePlanner } from './release-plan.ts'
import { checkRemovals, removalsOf } from './removals.ts'

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
  /** The newest signed one. */
  lastReleased: () => Promise<Revision | null>
  trustedRevision: () => Sha256 | undefined
  /** The root takes its own metadata in like any other node. */
  refresh: () => Promise<void>
}

export interface Released {
  number: number
  packages: number
  warnings: string[]
}

export interface Releasing {
  publish(
    path: string,
    options: { name?: string; version?: string; onProgress?: (progress: Progress) => void },
  ): Promise<Published>
  /** What a release would change now; signs nothing. Reports are read one after the other, and other work has its turn. */
  plan(): Promise<ReleasePlan & { warnings: string[] }>
  release(options: { message: string; allowRemovals: boolean; onStep: (step: string) => void }): Promise<Released>
  stop(): void
}

export async function openReleasing(parts: ReleaseParts): Promise<Releasing> {
  let renewal: Timer | undefined
  let stopped = false
  let queue: Promise<unknown> = Promise.resolve()
  // Two releases at once would take the same number.
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work, work)
    queue = result.catch(() => {})
    return result
  }
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

  const compile = async (message: string) => {
    const text = await parts.disk.read(parts.policyFile, { maxBytes: limits.policyMaxBytes })
    const last = await parts.lastReleased()
    const number = (last?.number ?? 0) + 1
    const options = { file: parts.policyFile, number, released: parts.clock.now(), message }
    return { last, ...(await parts.repository.compile(text, options)) }
  }

  return {
    publish: (path, options) =>
      inTurn(async () => {
        const published = await parts.repository.publish(path, options)
        await seed(published.manifest, await loadManifest(parts.source, published.manifest))
        return published
      }),
    async plan() {
      const { last, revision, warnings } = await compile('')
      const manifests = new Map(
        (await parts.repository.holdings()).map(({ manifest, manifestBody }) => [manifest, manifestBody]),
      )
      const before = last?.number ?? null
      const planner = releasePlanner({ revision, before, manifest: (digest) => manifests.get(digest) })
      for await (const report of parts.reports()) planner.take(report)
      const silent = parts.knowledge().filter((each) => conditionOf(each, parts.clock.now(), before) === 'silent')
      return { ...planner.plan(silent.map(({ node }) => node)), warnings }
    },
    release: (options) =>
      inTurn(async () => {
        options.onStep('compiling')
        const { last, revision, warnings } = await compile(options.message)
        const { number } = revision
        const reports: Report[] = []
        for await (const report of parts.reports()) reports.push(report)
        checkRemovals(removalsOf(revision, reports), options.allowRemovals)
        options.onStep('signing')
        const bytes = new TextEncoder().encode(JSON.stringify(revision))
        await parts.objects.put(bytes)
        await parts.fleet.publishRevision(bytes)
        options.onStep('publishing')
        await parts.refresh()
        if (parts.trustedRevision() !== createHash('sha256').update(bytes).digest('hex')) {
          throw new Failure('disk', `revision ${number} is signed, but this root could not take it in itself`, {
            hint: 'see `banyan status` for what is wrong; it tries again by itself',
          })
        }
        if (last !== null && isDeepStrictEqual(contentOf(last), contentOf(revision))) {
          warnings.push(`revision ${number} says the same as revision ${last.number}`)
        }
        const packages = new Set(revision.rules.flatMap((rule) => Object.keys(rule.packages))).size
        return { number, packages, warnings }
      }),
    stop() {
      stopped = true
      renewal?.cancel()
    },
  }
}

function contentOf({ groups, rules }: Revision) {
  return { groups, rules }
}
