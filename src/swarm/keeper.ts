// Keeps an engine running while one is needed: starts it, holds callers back until it is ready, and starts it again
// after a crash, with back-off.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { backOffMs } from '../work/back-off.ts'
import type { Clock, Log, Random, Timer } from '../world/world.ts'
import type { Caller, Command, Engine, EngineFactory, EngineReport, Way } from './engine.ts'

type State =
  | { kind: 'none' }
  | { kind: 'starting'; engine: Engine; timer: Timer; isGivenUp: boolean }
  | { kind: 'running'; engine: Engine; sinceMs: number }
  | { kind: 'ending'; done: Promise<void> }
  | { kind: 'waiting'; timer: Timer }

export interface EngineKeeper {
  kind(): State['kind']
  /** Starts an engine unless there is one; repeatable. */
  need(): void
  send(command: Command): void
  /** Bounded: a caller for whom there is no room is hung up on. */
  take(caller: Caller, way: Way): void
  callersWaiting(): number
  /** How many engines were started so far. */
  starts(): number
  /** Ends the running engine in order; it starts again when it is needed. */
  end(): Promise<void>
}

/** Strangers take no place from the fleet's own. */
const roomFor = {
  swarm: { all: limits.pendingSocketsMax, ofAddress: limits.pendingPerAddressMax },
  plain: { all: limits.plainPendingMax, ofAddress: limits.plainPendingPerAddressMax },
} as const satisfies Record<Way, { all: number; ofAddress: number }>

export function keepEngine(parts: {
  factory: EngineFactory
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  /** It runs: tell it everything. */
  onRunning: () => void
  onReport: (report: EngineReport) => void
  onCrash: () => void
  /** None runs, and one may be started. */
  onFree: () => void
}): EngineKeeper {
  const { clock, log } = parts
  let state: State = { kind: 'none' }
  let crashes = 0
  let starts = 0
  let callers: { caller: Caller; way: Way; timer: Timer }[] = []

  const need = () => {
    if (state.kind !== 'none') return
    starts += 1
    const engine = parts.factory.start({
      onReport: (report) => (report.kind === 'ready' ? ready() : parts.onReport(report)),
      onEnd: (because) => gone(engine, because),
    })
    const timer = clock.after(limits.engineStartMs, () => {
      log.error('engine does not start')
      // It may say yet that it is ready, and has been told to stop.
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
    for (const waiting of callers.splice(0)) {
      waiting.timer.cancel()
      engine.take(waiting.caller, waiting.way)
    }
  }
  const gone = (engine: Engine, because: string) => {
    // One that was ended in order is waited for in `end`.
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
  const hold = (caller: Caller, way: Way) => {
    const ofWay = callers.filter((waiting) => waiting.way === way)
    const ofAddress = ofWay.filter((waiting) => waiting.caller.remoteAddress === caller.remoteAddress)
    const room = roomFor[way]
    if (ofWay.length >= room.all || ofAddress.length >= room.ofAddress) return caller.destroy()
    const timer = clock.after(limits.swarmHandshakeMs, () => {
      callers = callers.filter((waiting) => waiting.caller !== caller)
      caller.destroy()
    })
    callers.push({ caller, way, timer })
  }
  return {
    kind: () => state.kind,
    need,
    send: (command) => {
      if (state.kind === 'running') state.engine.send(command)
    },
    take: (caller, way) => (state.kind === 'running' ? state.engine.take(caller, way) : hold(caller, way)),
    callersWaiting: () => callers.length,
    starts: () => starts,
    end: async () => {
      for (const { caller, timer } of callers.splice(0)) {
        timer.cancel()
        caller.destroy()
      }
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
    },
  }
}
