// A node's report, from its state. Pure.

import { limits } from '../../model/limits.ts'
import type { Arch, Instant } from '../../model/names.ts'
import { own } from '../../model/packages/records.ts'
import type { Outcome, Report, Transfer } from '../../model/report.ts'
import type { Restart } from '../../model/restarts.ts'
import type { Machine } from '../../model/wire/sightings.ts'
import { actionableDifferences } from '../../reconcile/plan.ts'
import { buildReport } from '../../report/build.ts'
import { attacksStanding } from './attacks.ts'
import { swarmSiteOf } from './in-force.ts'
import { problemsToTell } from './problems.ts'
import { refusalsAt } from './report-events.ts'
import type { State } from './state.ts'

/**
 * Before the facts are collected the report says the architecture `all`; a caller should wait for
 * them.
 */
export function reportFrom(parts: {
  state: State
  counter: number
  at: Instant
  version: string
  transfers: Transfer[]
  machine?: Machine
}): Report {
  const { state, counter, at, version, transfers, machine } = parts
  const refusals = refusalsAt(state.refusals, at)
  return buildReport({
    node: state.name,
    counter,
    at,
    version,
    site: swarmSiteOf(state),
    ...(state.site === null && state.siteSeen !== null && { siteIsSeen: true as const }),
    labels: state.labels,
    parent: state.link.kind === 'connected' ? state.link.parent : null,
    revision: state.revision?.body.number ?? null,
    converged: state.converged,
    state: conditionOf(state, at),
    packages: state.outcomes.map((outcome) => withQuarantine(outcome, state)),
    transfers,
    attacks: attacksStanding(state.attacks, at, own(state.acknowledged, state.name) ?? 0),
    ...(refusals.length > 0 && { refusals: [...refusals] }),
    ...(state.clockAheadMs !== 0 && { clockAheadMs: state.clockAheadMs }),
    ...(machine !== undefined && { machine }),
    arch: (state.facts?.['arch'] ?? 'all') as Arch,
    facts: state.facts ?? {},
    ...(state.needs !== null && { needs: state.needs }),
    ...(state.restarts.length > 0 && { restarts: state.restarts.map(withoutInvocation) }),
    ...(state.output !== null && { output: state.output.slice(-limits.reportOutputMaxChars) }),
    problems: problemsOf(state, transfers),
  })
}

/**
 * The problems of the moment, in words for a person: those of the state, then the first few
 * transfers that wait.
 */
export function problemsOf(state: State, transfers: readonly Transfer[]): string[] {
  return [...problemsToTell(state), ...transfers.filter(isWaiting).slice(0, waitingNamed).map(waitingTextOf)]
}

/**
 * The transfers that wait and are named as problems. The report lists all of them among its
 * transfers.
 */
const waitingNamed = 5

function isWaiting({ state }: Transfer): boolean {
  return state === 'waiting'
}

function waitingTextOf({ name, version }: Transfer): string {
  return `transfer: nobody who can be reached has the rest of ${name} ${version}`
}

function withoutInvocation({ invocation: _, ...restart }: State['restarts'][number]): Restart {
  return restart
}

function withQuarantine(outcome: Outcome, { quarantine }: State): Outcome {
  const known = quarantine.find(({ name, kind }) => name === outcome.name && kind === outcome.kind)
  if (outcome.outcome !== 'failed' || known === undefined) return outcome
  return { ...outcome, quarantine: { failures: known.failures, nextTry: known.nextTry } }
}

/**
 * The condition of the node in one word. Of several that hold, the one that a person has to know
 * first.
 */
export function conditionOf(state: State, now: Instant): Report['state'] {
  if (state.trusted !== null && state.trusted.expires <= now) return 'stale'
  if (state.applying) return 'applying'
  const failed = state.outcomes.some((outcome) => outcome.outcome === 'failed')
  const { apply, inspect, unwritable } = state.problems
  if (failed || [apply, inspect, unwritable].some((problem) => problem !== undefined)) return 'failed'
  if (state.link.kind === 'island') return 'island'
  const number = state.revision?.body.number
  const isUnread = state.outcomes.some((outcome) => outcome.outcome === 'unread')
  const differs = state.seen === null || isUnread || actionableDifferences(state.seen).length > 0
  return number !== undefined && state.converged === number && !differs ? 'converged' : 'pending'
}
