// A node's state as it is now. Events change it one after the other, and their effects are carried
// out.

import type { Effect, Event } from './events.ts'
import type { State } from './state.ts'
import { transition } from './transition.ts'

export interface LiveState {
  state(): State
  /** Before `begin` events wait in a queue. */
  dispatch(event: Event): void
  /**
   * Takes in `started` first and then the waiting events. From now on `run` carries out every
   * effect.
   */
  begin(started: Event, run: (effect: Effect) => void): void
  /** From now on events still change the state, and no effect is carried out. */
  end(): void
  /**
   * Calls `listener` after each event and its effects. The returned function removes the listener.
   */
  onChange(listener: () => void): () => void
}

/** Nothing has happened to the node yet, and no effect is carried out before `begin`. */
export function createLiveState(initial: State): LiveState {
  const listeners = new Set<() => void>()
  const waiting: Event[] = []
  let state = initial
  let run: ((effect: Effect) => void) | undefined

  const dispatch = (event: Event) => {
    if (run === undefined) {
      waiting.push(event)
      return
    }
    const [next, effects] = transition(state, event)
    state = next
    for (const effect of effects) run(effect)
    for (const listener of listeners) listener()
  }
  return {
    state: () => state,
    dispatch,
    begin(started, carryOut) {
      run = carryOut
      dispatch(started)
      for (const event of waiting.splice(0)) dispatch(event)
    },
    end() {
      run = () => {}
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
