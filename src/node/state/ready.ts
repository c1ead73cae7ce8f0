// What the next apply would do to the machine. Pure.

import { keyOf } from '../../reconcile/differences.ts'
import type { Action, Plan } from '../../reconcile/plan.ts'
import { isQuarantined } from '../../reconcile/quarantine.ts'
import { restartsWithOwed } from '../../reconcile/restarts.ts'
import type { State } from './state.ts'

/**
 * The actions of the next apply: the plan of the last look without packages in quarantine and what
 * is tied to them. None while applies wait.
 */
export function actionsReady(state: Pick<State, 'seen' | 'quarantine' | 'applyNotBeforeMs' | 'rechecking'>): Action[] {
  if (state.applyNotBeforeMs !== null || state.rechecking) return []
  const planned = state.seen?.plan.actions ?? []
  let ready = planned.filter((action) => !isQuarantined(state.quarantine, action))
  for (let left = planned.length; left > ready.length; ) {
    left = ready.length
    const keys = new Set(ready.map(({ kind, name }) => keyOf(kind, name)))
    ready = ready.filter(({ together = [] }) => together.every((key) => keys.has(key)))
  }
  return ready
}

/**
 * The plan of the next apply; null if there is nothing to do. Restarts that an earlier apply still
 * owes count as well.
 */
export function planReady(
  state: Pick<State, 'seen' | 'quarantine' | 'applyNotBeforeMs' | 'rechecking' | 'restarts'>,
): Plan | null {
  const actions = actionsReady(state)
  const isOwed = state.applyNotBeforeMs === null && state.restarts.some((each) => each.state === 'owed')
  if (state.seen === null || (actions.length === 0 && !isOwed)) return null
  const { restarts: planned = [], ...plan } = state.seen.plan
  const isActing = (name: string) => actions.some((action) => action.name === name)
  const due = planned.map(({ unit, packages }) => ({ unit, packages: packages.filter(isActing) }))
  const restarts = restartsWithOwed(
    due.filter(({ packages }) => packages.length > 0),
    state.restarts,
  )
  return { ...plan, actions, ...(restarts.length > 0 && { restarts }) }
}
