// A node's state as it is now: events change it one after the other, their effects are carried out, and who watches is told.

import type { Effect, Event } from './events.ts'
import type { State } from './state.ts'
import { transition } from './transition.ts'

export interface LiveState {
  state(): State
  /** Before `begin` it waits. */
  dispatch(event: Event): void
  /** All parts are there. `started` comes first, and then what has happened so far. */
  begin(started: Event): void
  hasBegun(): boolean
  /** After each event. Returns how to end it. */
  onChange(listener: () => void): () => void
  /** After an event that has changed this part of the state. */
  watch<K extends keyof State>(part: K, listener: (value: State[K]) => void): void
}

export function keepState(initial: State, run: (effect: Effect) => void): LiveState {
  const listeners = new Set<() => void>()
  const early: Event[] = []
  let state = initial
  let hasBegun = false

  const dispatch = (event: Event) => {
    if (!hasBegun) {
      early.push(event)
      return
    }
    const [next, effects] = transition(state, event)
    state = next
    for (const effect of effects) run(effect)
    for (const listener of listeners) listener()
  }
  const onChange = (listener: () => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  return {
    state: () => state,
    dispatch,
    begin(started) {
      hasBegun = true
      dispatch(started)
      for (const event of early.splice(0)) dispatch(event)
    },
    hasBegun: () => hasBegun,
    onChange,
    watch(part, listener) {
      let before = state[part]
      onChange(() => {
        const now = state[part]
        if (now === before) return
        before = now
        listener(now)
      })
    },
  }
}
