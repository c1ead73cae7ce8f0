// Which holdings the engine has open, and which it should have open. Pure: an event goes in; the
// next table and the effects come out, in the order in which they are to be carried out. The driver
// is openings.ts.

import { unreachable } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, Sha256 } from '../../model/names.ts'
import { type Holding, isNeeded } from '../holdings/holding.ts'
import { nextLookAt, shouldBeOpen, type Use } from './opening.ts'
import type { OpeningEffect, OpeningEvent, OpeningTable, Surroundings } from './opening-events.ts'

type Outcome = [OpeningTable, OpeningEffect[]]

export const emptyTable: OpeningTable = {
  stages: new Map(),
  uses: new Map(),
  called: new Set(),
  keptClosed: new Set(),
  background: new Set(),
  neededUntilMs: 0,
  isStopped: false,
}

export function transition(table: OpeningTable, event: OpeningEvent, now: Surroundings): Outcome {
  switch (event.kind) {
    case 'look':
      return looked(table, now)
    case 'engine-running': {
      // However long the engine took to start, the callers that it was started for still wait.
      const uses = new Map([...table.uses].map(([infoHash, { busy }]) => [infoHash, useOf(busy, now)]))
      return thenLooked([{ ...needed(table, now), uses }, [{ kind: 'introduce' }]], now)
    }
    case 'engine-crashed': {
      const started = [...table.stages].filter(([, stage]) => stage !== 'loading')
      const [next, effects] = withoutEngine(table)
      return [next, [...started.map(([infoHash]) => ({ kind: 'unsure' as const, infoHash })), ...effects]]
    }
    case 'engine-gone':
      return thenLooked(withoutEngine(table), now)
    case 'engine-needed':
      return [needed(table, now), []]
    case 'called':
      return called(table, event.infoHash, now)
    case 'call-expired': {
      const next = { ...table, called: without(table.called, event.infoHash) }
      return [next, table.stages.has(event.infoHash) ? [] : [sent({ kind: 'refuse', infoHash: event.infoHash })]]
    }
    case 'used':
      return looked(stillUsed(table, event.infoHash, now), now)
    case 'busy':
      return looked(withUse(table, event.infoHash, useOf(event.busy, now)), now)
    case 'loaded':
      return loaded(table, event, now)
    case 'not-loaded':
      return notOpened(table, event.infoHash, event.because)
    case 'failed':
      return [{ ...table, uses: withoutKey(table.uses, event.infoHash) }, []]
    case 'closed':
      return closed(table, event, now)
    case 'handed-out':
      return handedOut(table, event, now)
    case 'part': {
      const { infoHash, node } = event
      return [table, table.stages.get(infoHash) === 'open' ? [sent({ kind: 'part', infoHash, node })] : []]
    }
    case 'keep-closed':
      return looked({ ...table, keptClosed: new Set(table.keptClosed).add(event.infoHash) }, now)
    case 'let-open':
      return looked({ ...table, keptClosed: without(table.keptClosed, event.infoHash) }, now)
    case 'background':
      return inBackground(table, event.manifests, now)
    case 'stopped':
      return [{ ...table, isStopped: true }, []]
    default:
      return unreachable(event)
  }
}

/** Compares what should be open with what is open. Repeating it without news changes nothing. */
function looked(table: OpeningTable, now: Surroundings): Outcome {
  if (table.isStopped) return [table, []]
  const { wanted, retried, lookAtMs } = wantedNow(table, now)
  const isNeeded = wanted.size > 0 || now.callersWaiting > 0
  const next = isNeeded ? needed(table, now) : table
  const effects: OpeningEffect[] = retried.map((infoHash) => ({ kind: 'retry', infoHash }))
  if (isNeeded) effects.push({ kind: 'need-engine' })
  if (now.engine !== 'running') return [next, [...effects, lookAgain(lookAtMs, now)]]
  const loading = [...wanted].filter((infoHash) => !table.stages.has(infoHash))
  const closing = [...table.stages].flatMap(([infoHash, stage]) =>
    stage === 'open' && !wanted.has(infoHash) ? [infoHash] : [],
  )
  for (const infoHash of loading) effects.push({ kind: 'load', infoHash })
  for (const infoHash of closing) effects.push(sent({ kind: 'close', infoHash }))
  const stages = new Map(table.stages)
  for (const infoHash of loading) stages.set(infoHash, 'loading')
  for (const infoHash of closing) stages.set(infoHash, 'closing')
  const isIdle = stages.size === 0
  const isOver = next.neededUntilMs <= now.nowMs
  if (isIdle && isOver) effects.push({ kind: 'end-engine' })
  const againAtMs = isIdle && !isOver ? Math.min(lookAtMs, next.neededUntilMs) : lookAtMs
  return [{ ...next, stages }, [...effects, lookAgain(againAtMs, now)]]
}

function thenLooked([table, before]: Outcome, now: Surroundings): Outcome {
  const [next, effects] = looked(table, now)
  return [next, [...before, ...effects]]
}

function lookAgain(atMs: number, { nowMs }: Surroundings): OpeningEffect {
  return { kind: 'look-again', afterMs: atMs === Number.POSITIVE_INFINITY ? null : atMs - nowMs + 1 }
}

interface Wanted {
  /** The holdings that should be open now. */
  wanted: Set<InfoHash>
  /** Of them those that had failed and whose wait is over. */
  retried: InfoHash[]
  /** When that changes although nothing happens, in monotonic milliseconds. */
  lookAtMs: number
}

function wantedNow(table: OpeningTable, { holdings, nowMs }: Surroundings): Wanted {
  const found: Wanted = { wanted: new Set(), retried: [], lookAtMs: Number.POSITIVE_INFINITY }
  for (const holding of awake(table, holdings)) {
    const { infoHash } = holding.spec.payload
    if (table.keptClosed.has(infoHash)) continue
    const use = table.uses.get(infoHash)
    const isRetried = isDue(holding, nowMs)
    if (isRetried) found.retried.push(infoHash)
    if (isRetried || shouldBeOpen(holding, use, nowMs)) found.wanted.add(infoHash)
    // A time that has passed was acted upon, or will be once the holding has closed: to look again
    // for it would never end.
    const atMs = nextLookAt(holding, use)
    if (atMs > nowMs) found.lookAtMs = Math.min(found.lookAtMs, atMs)
  }
  return found
}

/** The holdings that do not sleep. Thousands may sleep, so they are not looked at. */
function* awake({ uses }: OpeningTable, holdings: Surroundings['holdings']): Generator<Holding> {
  yield* holdings.unfinished()
  for (const infoHash of uses.keys()) {
    const holding = holdings.get(infoHash)
    if (holding?.progress.kind === 'complete') yield holding
  }
}

/** Whether a failed holding is wanted and its wait is over. */
function isDue(holding: Holding, nowMs: number): boolean {
  const { progress } = holding
  return isNeeded(holding) && progress.kind === 'failed' && progress.retryAtMs <= nowMs
}

function called(table: OpeningTable, infoHash: InfoHash, now: Surroundings): Outcome {
  const holding = now.holdings.get(infoHash)
  const used = holding?.progress.kind === 'complete' ? stillUsed(table, infoHash, now) : table
  // The holding may be wanted in a moment: a child can learn of a swarm before its parent has read
  // the manifest.
  const afterMs = holding === undefined ? limits.unknownCallerWaitMs : limits.callerWaitMs
  const next = { ...used, called: new Set(used.called).add(infoHash) }
  return thenLooked([next, [{ kind: 'expire-call', infoHash, afterMs }]], now)
}

function loaded(
  table: OpeningTable,
  { infoHash, metainfo }: Extract<OpeningEvent, { kind: 'loaded' }>,
  now: Surroundings,
): Outcome {
  if (now.engine !== 'running' || table.stages.get(infoHash) !== 'loading') return [table, []]
  const holding = now.holdings.get(infoHash)
  if (holding === undefined || metainfo === undefined) return notOpened(table, infoHash, `no metainfo of ${infoHash}`)
  const next = { ...table, stages: new Map(table.stages).set(infoHash, 'open') }
  const background = table.background.has(holding.spec.manifest)
  return thenLooked([next, [{ kind: 'open', holding, metainfo, background }]], now)
}

function notOpened(table: OpeningTable, infoHash: InfoHash, because: string): Outcome {
  const next = { ...table, stages: withoutKey(table.stages, infoHash) }
  return [
    next,
    [
      { kind: 'closed', infoHash },
      { kind: 'not-opened', infoHash, because },
    ],
  ]
}

function closed(
  table: OpeningTable,
  { infoHash, isAwaited }: Extract<OpeningEvent, { kind: 'closed' }>,
  now: Surroundings,
): Outcome {
  // A call that came since then opens the holding again.
  const isUsed = isAwaited || table.called.has(infoHash)
  const uses = isUsed ? table.uses : withoutKey(table.uses, infoHash)
  const next = { ...table, uses, stages: withoutKey(table.stages, infoHash) }
  return thenLooked([next, [{ kind: 'closed', infoHash }]], now)
}

function handedOut(
  table: OpeningTable,
  { infoHash, peers }: Extract<OpeningEvent, { kind: 'handed-out' }>,
  now: Surroundings,
): Outcome {
  if (table.stages.get(infoHash) === 'open') return [table, [{ kind: 'dial', infoHash, peers }]]
  const isComplete = now.holdings.get(infoHash)?.progress.kind === 'complete'
  if (peers.length === 0 || !isComplete) return [table, []]
  // A peer that cannot dial this node, or a parent that has less than this node, is to be fed.
  return looked(withUse(table, infoHash, useOf(false, now)), now)
}

function inBackground(table: OpeningTable, manifests: ReadonlySet<Sha256>, now: Surroundings): Outcome {
  const effects: OpeningEffect[] = []
  for (const infoHash of table.stages.keys()) {
    const manifest = now.holdings.get(infoHash)?.spec.manifest
    if (manifest === undefined || table.background.has(manifest) === manifests.has(manifest)) continue
    effects.push(sent({ kind: 'background', infoHash, background: manifests.has(manifest) }))
  }
  return [{ ...table, background: manifests }, effects]
}

/** The engine has nothing open any longer, and nobody who had a wire to it has one now. */
function withoutEngine(table: OpeningTable): Outcome {
  const effects: OpeningEffect[] = [...table.stages.keys()].map((infoHash) => ({ kind: 'closed', infoHash }))
  return [{ ...table, stages: new Map(), uses: new Map() }, [...effects, { kind: 'forget-clients' }]]
}

function needed(table: OpeningTable, { nowMs, engineIdleMs }: Surroundings): OpeningTable {
  return { ...table, neededUntilMs: nowMs + engineIdleMs }
}

function useOf(busy: boolean, { nowMs }: Surroundings): Use {
  return { busy, untilMs: nowMs + limits.holdingIdleMs }
}

function stillUsed(table: OpeningTable, infoHash: InfoHash, now: Surroundings): OpeningTable {
  return withUse(table, infoHash, useOf(table.uses.get(infoHash)?.busy ?? false, now))
}

function withUse(table: OpeningTable, infoHash: InfoHash, use: Use): OpeningTable {
  return { ...table, uses: new Map(table.uses).set(infoHash, use) }
}

function sent(command: Extract<OpeningEffect, { kind: 'send' }>['command']): OpeningEffect {
  return { kind: 'send', command }
}

function without<T>(set: ReadonlySet<T>, value: T): ReadonlySet<T> {
  const next = new Set(set)
  next.delete(value)
  return next
}

function withoutKey<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const next = new Map(map)
  next.delete(key)
  return next
}
