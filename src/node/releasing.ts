// What only a root does: publish packages, release the policy, keep the signed time fresh.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Report } from '../model/report.ts'
import type { Progress, Published, Repository } from '../repository/repository.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { Objects } from '../world/objects.ts'
import type { Clock, Disk, Log, Timer } from '../world/world.ts'
import type { ObjectSource } from './object-source.ts'
import { specOf } from './payloads.ts'
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
  /** Number of the newest signed revision; 0 before the first. */
  lastReleased: () => Promise<number>
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
  const seed = async (digest: string) => {
    const manifest = (await parts.repository.holdings()).find((held) => held.manifest === digest)?.manifestBody
    if (manifest === undefined) return
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

  // A publish that was cut between storing and seeding is seeded now.
  for (const held of await parts.repository.holdings()) await seed(held.manifest)
  renewLater()

  return {
    publish: (path, options) =>
      inTurn(async () => {
        const published = await parts.repository.publish(path, options)
        await seed(published.manifest)
        return published
      }),
    release: (options) =>
      inTurn(async () => {
        options.onStep('compiling')
        const text = await parts.disk.read(parts.policyFile, { maxBytes: limits.policyMaxBytes })
        const number = (await parts.lastReleased()) + 1
        const { revision, warnings } = await parts.repository.compile(text, {
          file: parts.policyFile,
          number,
          released: parts.clock.now(),
          message: options.message,
        })
        const reports: Report[] = []
        for await (const report of parts.reports()) reports.push(report)
        checkRemovals(removalsOf(revision, reports), options.allowRemovals)
        options.onStep('signing')
        const bytes = new TextEncoder().encode(JSON.stringify(revision))
        await parts.objects.put(bytes)
        await parts.fleet.publishRevision(bytes)
        options.onStep('publishing')
        await parts.refresh()
        const packages = new Set(revision.rules.flatMap((rule) => Object.keys(rule.packages))).size
        return { number, packages, warnings }
      }),
    stop() {
      stopped = true
      renewal?.cancel()
    },
  }
}
