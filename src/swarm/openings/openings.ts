// Has the engine keep those holdings open that are needed: the holdings that come in, and those
// that others take from this node. All other holdings sleep on disk, and without any open holding
// the engine ends. opening-table.ts decides, and opening-effects.ts carries it out; this file
// connects both with the engine's keeper.

import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Rates } from '../../model/units/rates.ts'
import { backOffMs } from '../../work/back-off.ts'
import type { Clock, Log, Random, TlsIdentity } from '../../world/world.ts'
import { createSuspectAddresses } from '../callers/suspect-addresses.ts'
import { type Caller, type Counters, type EngineFactory, noCounters, sumOf, type Way } from '../engine.ts'
import { createEngineControl, type EngineControl, type EngineSettings } from '../engine-control.ts'
import { reportReceiver } from '../engine-reports.ts'
import type { SwarmEvent } from '../holdings/holding.ts'
import type { Holdings } from '../holdings/holdings.ts'
import { createReceipts, type Receipts } from '../holdings/receipts.ts'
import { startEngineKeeper } from '../keeper.ts'
import { createPlainGiving, type PlainGiving } from '../plain.ts'
import { createSiblings } from '../siblings.ts'
import { createClosedWork } from './closed-work.ts'
import { startOpeningEffects } from './opening-effects.ts'
import type { OpeningEvent, Surroundings } from './opening-events.ts'
import { emptyTable, transition } from './opening-table.ts'
import { createHandouts } from './peers-to-dial.ts'

export interface Openings {
  /**
   * Compares what should be open with what is open, and acts on the difference. It may be called at
   * any time.
   */
  look(): void
  /** Hands a new connection to the engine, or hangs up on it. */
  take(caller: Caller, way: Way): void
  plain: Pick<PlainGiving, 'setNamed' | 'gives'>
  /**
   * Does the work once the holding is closed, and keeps the holding closed until the work is done.
   * Rejects as it does.
   */
  whileClosed(infoHash: InfoHash, work: () => Promise<void>): Promise<void>
  control: EngineControl
  /** From whom the bytes of a payload came, for the announce. */
  received: Receipts['take']
  /** Resolves when the engine has ended and its last reports are in. */
  stop(): Promise<void>
}

export interface OpeningsParts {
  /** The folder of the payloads; it exists. */
  dir: string
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  tls: () => TlsIdentity
  self: NodeName
  /** The site that the tracker counts this node to; null until it is known. */
  site: () => string | null
  /** Whether this node is the parent of that one. */
  isChild: (node: NodeName) => boolean
  rates: Rates
  /** Bytes per second that the link of this site can bring in; null where that is not known. */
  linkRate: () => number | null
  engine: EngineFactory
  /** How long the engine runs without work. It is longer than a handshake takes. */
  engineIdleMs: number
  onEvent: (event: SwarmEvent) => void
  /** The disk no longer has these pieces of a holding. */
  onDamaged: (infoHash: InfoHash, pieces: readonly number[] | 'unknown') => void
}

export function startOpenings(parts: OpeningsParts, holdings: Holdings): Openings {
  const { clock, random, log } = parts
  let table = emptyTable
  let moved = noCounters
  const settings: EngineSettings = { rates: parts.rates, revoked: [] }
  const handouts = createHandouts()
  const suspects = createSuspectAddresses({ clock })
  const receipts = createReceipts()
  const siblings = createSiblings({
    ...{ clock, isChild: parts.isChild },
    onChange: () => parts.onEvent({ kind: 'siblings', reach: siblings.now() }),
  })

  const surroundings = (): Surroundings => ({
    ...{ nowMs: clock.monotonicMs(), engine: keeper.kind(), callersWaiting: keeper.callersWaiting() },
    ...{ holdings, engineIdleMs: parts.engineIdleMs },
  })
  const dispatch = (event: OpeningEvent): void => {
    const [next, toDo] = transition(table, event, surroundings())
    table = next
    // An effect may dispatch an event of its own, which then finds this table.
    for (const effect of toDo) effects.carryOut(effect)
  }
  const stageOf = (infoHash: InfoHash) => table.stages.get(infoHash)

  const keeper = startEngineKeeper({
    ...{ factory: parts.engine, clock, random, log },
    onRunning: () => dispatch({ kind: 'engine-running' }),
    onReport: (report) => receive(report),
    onCrash: () => {
      siblings.unwired()
      dispatch({ kind: 'engine-crashed' })
    },
    onFree: () => {
      siblings.unwired()
      dispatch({ kind: 'engine-gone' })
    },
  })
  const plain = createPlainGiving({
    holding: (infoHash) => holdings.get(infoHash),
    send: (command) => keeper.send(command),
    wake: (infoHash) => {
      const wasOpen = stageOf(infoHash) === 'open'
      dispatch({ kind: 'used', infoHash })
      return wasOpen && stageOf(infoHash) === 'open'
    },
  })
  const closedWork = createClosedWork({ dispatch, isClosed: (infoHash) => stageOf(infoHash) === undefined })
  const shared = { ...parts, holdings, plain, dispatch, retryAtMs: retryTimes(parts, holdings) }
  const effects = startOpeningEffects({ ...shared, keeper, settings, handouts, onClosed: closedWork.closed })
  const onCounted = (counters: Counters) => {
    moved = sumOf(moved, counters)
  }
  const receive = reportReceiver({ ...shared, suspects, siblings, onCounted, onReceived: receipts.add })
  return {
    look: () => dispatch({ kind: 'look' }),
    plain,
    control: createEngineControl({
      ...{ keeper, settings, handouts, siblings, dispatch },
      ...{ tls: parts.tls, moved: () => moved },
    }),
    whileClosed: closedWork.whileClosed,
    received: receipts.take,
    take: (caller, way) => {
      const isSuspect = way === 'swarm' && suspects.has(caller.remoteAddress ?? '')
      const isAwake = keeper.kind() === 'running' || keeper.kind() === 'starting'
      if (table.isStopped || (isSuspect && !isAwake)) return caller.destroy()
      // Whoever the caller is: the engine must live long enough to find out.
      if (!isSuspect) dispatch({ kind: 'engine-needed' })
      keeper.take(caller, way)
      dispatch({ kind: 'look' })
    },
    stop: async () => {
      dispatch({ kind: 'stopped' })
      effects.stop()
      await keeper.stop()
    },
  }
}

/** When a holding that fails now is tried again, in monotonic milliseconds. */
function retryTimes(
  { clock, random }: Pick<OpeningsParts, 'clock' | 'random'>,
  holdings: Pick<Holdings, 'get'>,
): (infoHash: InfoHash) => number {
  return (infoHash) => {
    const failures = (holdings.get(infoHash)?.attempts ?? 0) + 1
    const waitMs = backOffMs({
      ...{ failures, fraction: random.fraction() },
      ...{ firstMs: limits.failedRetryMs, ceilingMs: limits.failedRetryCeilingMs },
    })
    return clock.monotonicMs() + waitMs
  }
}
