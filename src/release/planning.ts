// What a draft would change, computed without signing or storing anything.

import type { Knowledge } from '../model/knowledge.ts'
import type { Report } from '../model/report.ts'
import { conditionOf } from '../report/summary.ts'
import type { Clock } from '../world/world.ts'
import { type ClosureParts, checkClosure, closureFor, publishedManifests } from './closure/closure-check.ts'
import type { Unmet } from './closure/unmet-needs.ts'
import type { Draft } from './drafts.ts'
import { createReleasePlanner, type ReleasePlan } from './release-plan.ts'

export interface PlanningParts extends ClosureParts {
  clock: Pick<Clock, 'now'>
  reports: () => AsyncIterable<Report>
  knowledge: () => Knowledge[]
}

export type PlannedRelease = ReleasePlan & { unmet: Unmet[]; warnings: string[] }

/**
 * Reads the reports one after the other, and other work has its turn in between. Throws what
 * `closureFor` throws.
 */
export async function planDraft(parts: PlanningParts, draft: Draft): Promise<PlannedRelease> {
  const { last, revision } = draft
  const manifests = await publishedManifests(parts)
  const closure = await closureFor(parts, draft, manifests)
  const before = last?.number ?? null
  const planner = createReleasePlanner({ revision, before, manifest: (digest) => manifests.get(digest) })
  for await (const report of parts.reports()) {
    planner.add(report)
    closure?.add(report)
  }
  const silent = parts.knowledge().filter((each) => conditionOf(each, parts.clock.now(), before) === 'silent')
  const unmet = closure?.unmet() ?? []
  const unknown = unmet.filter(({ state }) => state === 'unknown')
  const warnings = [...draft.warnings, ...checkClosure(unknown, true, parts.policyFile)]
  return { ...planner.plan(silent.map(({ node }) => node)), unmet, warnings }
}
