// What becomes of a node's state around reports: those that it accepts or refuses, and those that
// its parent does. Pure.

import { limits } from '../../model/limits.ts'
import type { Instant, NodeName } from '../../model/names.ts'
import { own } from '../../model/packages/records.ts'
import type { Refusal } from '../../model/report.ts'
import { roughly } from '../../model/units/durations.ts'
import type { Effect, Event, Next } from './events.ts'
import { withoutProblem, withProblem } from './problems.ts'
import type { State } from './state.ts'

/** A node whose report is accepted is refused no more. */
export function reportsAccepted(state: State, { nodes }: Extract<Event, { kind: 'reports-accepted' }>): Next {
  const effects: Effect[] = [{ kind: 'advance-rollouts', nodes }]
  const refusals = state.refusals.filter(({ node }) => !nodes.includes(node))
  if (refusals.length === state.refusals.length) return [state, effects]
  return [{ ...state, refusals }, [...effects, { kind: 'report' }]]
}

/** Told upward in place of the node, which may be unable to. */
export function reportsRefused(state: State, { refused, at }: Extract<Event, { kind: 'reports-refused' }>): Next {
  const refusals = refused.reduce((known, one) => refusalsAfter(known, { ...one, at }), refusalsAt(state.refusals, at))
  return [{ ...state, refusals }, [{ kind: 'report' }]]
}

/** The refusals that still count: a node that reports tries again long before they end. */
export function refusalsAt(refusals: readonly Refusal[], now: Instant): readonly Refusal[] {
  return refusals.filter(({ last }) => now - last <= 2 * limits.heartbeatMs + limits.silentSlackMs)
}

export function reportsAnswered(state: State, event: Extract<Event, { kind: 'reports-answered' }>): Next {
  const { accepted, refused, clockAheadMs = 0, moved = [] } = event
  // Of a node that moved away nothing is sent from here any more, so nothing of it can be accepted.
  const gone = new Set([...accepted, ...moved])
  const kept = Object.entries(state.refusedAbove).filter(([node]) => !gone.has(node))
  const still = refused.filter(({ node }) => !moved.includes(node))
  const all = [...kept, ...still.map(({ node, reason }) => [node, reason] as const)]
  const refusedAbove: State['refusedAbove'] = Object.fromEntries(all.slice(-limits.refusalsKept))
  const ahead = Math.abs(clockAheadMs) < limits.clockToldMs ? 0 : clockAheadMs
  const next = withClock(withRefused({ ...state, refusedAbove, clockAheadMs: ahead }), ahead)
  // The time that the clocks differ by is a little other with each answer.
  const isNews = next.problems.report !== state.problems.report || next.problems.clock !== state.problems.clock
  return withMemory([next, isNews ? [{ kind: 'report' }] : []], event)
}

/** A parent that has lost its database is told of the whole subtree again. */
function withMemory([state, effects]: Next, { memory }: { memory?: string }): Next {
  const before = state.reportedMemory
  if (memory === undefined || memory === before) return [state, effects]
  const again: Effect[] = before === null ? [] : [{ kind: 'report-again' }]
  return [{ ...state, reportedMemory: memory }, [...effects, ...again, { kind: 'remember' }]]
}

function refusalsAfter(known: readonly Refusal[], one: { node: NodeName; reason: string; at: Instant }): Refusal[] {
  const { node, reason, at } = one
  const before = known.find((each) => each.node === node)
  const refusal = { node, reason, first: before?.first ?? at, last: at, count: (before?.count ?? 0) + 1 }
  return [...known.filter((each) => each !== before), refusal].slice(-limits.refusalsKept)
}

function withRefused(state: State): State {
  const { refusedAbove, name } = state
  const ours = own(refusedAbove, name)
  if (ours !== undefined) return withProblem(state, 'report', `the parent refuses this node's reports: ${ours}`)
  const [first, ...others] = Object.entries(refusedAbove)
  if (first === undefined) return withoutProblem(state, 'report')
  const more = others.length === 0 ? '' : ` and of ${others.length} more`
  return withProblem(state, 'report', `the parent refuses the reports of ${first[0]}${more}: ${first[1]}`)
}

function withClock(state: State, aheadMs: number): State {
  if (aheadMs === 0) return withoutProblem(state, 'clock')
  const text = `this machine's clock is ${roughly(aheadMs)} ${aheadMs > 0 ? 'ahead of' : 'behind'} its parent's: see timedatectl on both`
  return withProblem(state, 'clock', text)
}
