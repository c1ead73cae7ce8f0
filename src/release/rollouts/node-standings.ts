// Where each node stands in each rollout, by its newest report. Kept in memory, and read again only
// for nodes with news.

import type { NodeName } from '../../model/names.ts'
import type { Inbox } from '../../report/inbox.ts'
import { conditionOf } from '../../report/summary.ts'
import type { Clock } from '../../world/world.ts'
import type { Signed } from '../signed-revision.ts'
import { type Standing, standingsOf } from './rollout-waves.ts'

export interface NodeStandings {
  /**
   * These nodes have newer reports. False if nothing was read yet: then the next update reads all
   * reports anyway.
   */
  heard(nodes: readonly NodeName[]): boolean
  /**
   * Reads the reports of nodes with news; after another release, the reports of all nodes. Calls
   * must not overlap.
   */
  update(signed: Signed): Promise<void>
  /** The standings in one rollout, by its name (`careful@12`), as of the last update. */
  in(rollout: string): Standing[]
  isSilent(node: NodeName): boolean
}

export function createNodeStandings(parts: {
  inbox: Pick<Inbox, 'reports' | 'report' | 'knowledgeOf'>
  clock: Pick<Clock, 'now'>
}): NodeStandings {
  const { inbox, clock } = parts
  /** By node, then by rollout; under the revision `number`. */
  let standings = new Map<NodeName, ReadonlyMap<string, Standing>>()
  let number: number | null = null
  const news = new Set<NodeName>()

  const readAll = async ({ revision, states }: Signed) => {
    news.clear()
    const all = new Map<NodeName, ReadonlyMap<string, Standing>>()
    for await (const report of inbox.reports()) all.set(report.node, standingsOf(report, revision, states))
    standings = all
    number = revision.number
  }
  return {
    heard(nodes) {
      if (number === null) return false
      for (const node of nodes) news.add(node)
      return true
    },
    async update(signed) {
      if (number !== signed.revision.number) await readAll(signed)
      for (const node of [...news]) {
        news.delete(node)
        const report = await inbox.report(node)
        if (report !== undefined) standings.set(node, standingsOf(report, signed.revision, signed.states))
      }
    },
    in: (rollout) => [...standings.values()].flatMap((one) => one.get(rollout) ?? []),
    isSilent(node) {
      const known = inbox.knowledgeOf(node)
      return known === undefined || conditionOf(known, clock.now(), null) === 'silent'
    },
  }
}
