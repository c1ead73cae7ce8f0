// Keeps an engine running while one is needed: starts it, holds callers back until it is ready, and
// starts the next one after a crash, with back-off.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { backOffMs } from '../work/back-off.ts'
import type { Clock, Log, Random, Timer } from '../world/world.ts'
import type { Caller, Command, Engine, EngineFactory, EngineReport, Way } from './engine.ts'
import { createWaitingCallers } from './waiting-callers.ts'

type State =
  | { kind: 'none' }
  /** `isGivenUp`: the engine did not get ready in time and was asked to end. */
  | { kind: 'starting'; engine: Engine; timer: Timer; isGivenUp: boolean }
  | { kind: 'running'; engine: Engine; sinceMs: number }
  | { kind: 'ending'; done: Promise<void> }
  /** An engine crashed, and the next one may start when the timer ends. */
  | { kind: 'waiting'; timer: Timer }

export interface EngineKeeper {
  kind(): State['kind']
  /** Starts an engine unless there is one. It may be called at any time. */
  need(): void
  /** Drops the command unless the engine runs: an engine is told everything when it starts. */
  send(command: Command): void
  /**
   * Hands a connection to the engine once it runs. Hangs up if too many connections wait already.
   */
  take(caller: Caller, way: Way): void
  callersWaiting(): number
  /** How many engines were started so far. */
  starts(): number
  /** Ends the engine in order. A later `need` starts another one. */
  stop(): Promise<void>
}

export interface EngineKeeperParts {
  factory: EngineFactory
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  /** The engine runs and knows nothing yet: the callee sends it everything. */
  onRunning: () => void
  onReport: (report: EngineReport) => void
  /** The engine ended although nobody asked it to. */
  onCrash: () => void
  /** No engine runs, and one may be started. */
  onFree: () => void
}

export function startEngineKeeper(parts: EngineKeeperParts): EngineKeeper {
  const { clock, log } = parts
  const callers = createWaitingCallers({ clock })
  let state: State = { kind: 'none' }
  let crashes = 0
  let starts = 0

  const need = () => {
    if (state.kind !== 'none') return
    starts += 1
    const engine = parts.factory.start({
      onReport: (report) => (report.kind === 'ready' ? ready() : parts.onReport(report)),
      onEnd: (because) => ended(engine, because),
    })
    const timer = clock.after(limits.engineStartMs, () => {
      log.error('engine does not start')
      // It may still report that it is ready, although it was asked to end.
      if (state.kind === 'starting') state.isGivenUp = true
      void engine.stop()
    })
    state = { kind: 'starting', engine, timer, isGivenUp: false }
  }
  const ready = () => {
    if (state.kind !== 'starting' || state.isGivenUp) return
    const { engine, timer } = state
    timer.cancel()
    state = { kind: 'running', engine, sinceMs: clock.monotonicMs() }
    parts.onRunning()
    for (const { caller, way } of callers.takeAll()) engine.take(caller, way)
  }
  const ended = (engine: Engine, because: string) => {
    // An engine that ends in order is awaited in `stop`.
    if ((state.kind !== 'starting' && state.kind !== 'running') || state.engine !== engine) return
    if (state.kind === 'starting') state.timer.cancel()
    else if (clock.monotonicMs() - state.sinceMs > limits.retryCeilingMs) crashes = 0
    crashes += 1
    const againInMs = backOffMs({
      ...{ failures: crashes, fraction: parts.random.fraction() },
      ...{ firstMs: limits.retryFirstMs, ceilingMs: limits.retryCeilingMs },
    })
    log.error('engine ended', { because, crashes, againInMs })
    const timer = clock.after(againInMs, () => {
      state = { kind: 'none' }
      parts.onFree()
    })
    state = { kind: 'waiting', timer }
    parts.onCrash()
  }
  const stop = async () => {
    for (const { caller } of callers.takeAll()) caller.destroy()
    if (state.kind === 'ending') return await state.done
    if (state.kind === 'waiting') {
      state.timer.cancel()
      state = { kind: 'none' }
    }
    if (state.kind !== 'starting' && state.kind !== 'running') return
    if (state.kind === 'starting') state.timer.cancel()
    const done = state.engine.stop().catch((error) => log.error('engine not ended', { error: messageOf(error) }))
    state = { kind: 'ending', done }
    await done
    state = { kind: 'none' }
    crashes = 0
    parts.onFree()
  }
  return {
    kind: () => state.kind,
    need,
    send: (command) => {
      if (state.kind === 'running') state.engine.send(command)
    },
    take: (caller, way) => (state.kind === 'running' ? state.engine.take(caller, way) : callers.add(caller, way)),
    callersWaiting: () => callers.size(),
    starts: () => starts,
    stop,
  }
}
