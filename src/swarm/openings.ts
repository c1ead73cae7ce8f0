// Has the engine keep those holdings open that are needed: what comes in, and what somebody wants of us. Everything else
// sleeps on disk, and without any the engine ends.

import { Failure, messageOf, unreachable } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName, Sha256 } from '../model/names.ts'
import type { Rates } from '../model/units/rates.ts'
import { backOffMs } from '../work/back-off.ts'
import type { Clock, Log, Random, Timer, TlsIdentity } from '../world/world.ts'
import {
  type Caller,
  type Counters,
  type EngineFactory,
  type EngineReport,
  noCounters,
  type Spending,
  sumOf,
  type Way,
} from './engine.ts'
import type { SwarmEvent } from './holdings/holding.ts'
import type { Holdings } from './holdings/holdings.ts'
import { keepEngine } from './keeper.ts'
import { meetingsWith, nextLookAt, type ReachablePeer, shouldBeOpen, type Use } from './opening.ts'
import { openPlainGiving, type PlainGiving } from './plain.ts'
import { openStrangers } from './strangers.ts'
import { openDoubts } from './suspect-addresses.ts'

/** Bytes, and engines started, since the daemon started. */
export interface Moved extends Counters {
  engineStarts: number
}

export interface Openings {
  /** Compares what should be open with what is, and acts on the difference; repeatable at any time. */
  look(): void
  /** Somebody has connected. */
  take(caller: Caller, way: Way): void
  plain: Pick<PlainGiving, 'setNamed' | 'gives'>
  meet(infoHash: InfoHash, peers: readonly ReachablePeer[]): void
  /** Cuts the wire to a node. */
  part(infoHash: InfoHash, node: NodeName): void
  /** Resolves when the holding is closed, and keeps it so until the work is done. */
  whileClosed(infoHash: InfoHash, work: () => Promise<void>): Promise<void>
  setRates(rates: Rates): void
  /** By manifest: whose holdings yield to the others. */
  setBackground(manifests: ReadonlySet<Sha256>): void
  /** What went over the network without the engine, and counts all the same. */
  spent(spending: Spending): void
  setRevoked(nodes: readonly NodeName[]): void
  renew(): void
  warmUp(): void
  moved(): Moved
  /** The engine is ended, its last reports are in. */
  stop(): Promise<void>
}

export interface OpeningsParts {
  dir: string
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  tls: () => TlsIdentity
  self: NodeName
  site: () => string | null
  rates: Rates
  linkRate: () => number | null
  engine: EngineFactory
  /** Longer than a handshake takes. */
  engineIdleMs: number
  onEvent: (event: SwarmEvent) => void
}

export function keepOpenings(parts: OpeningsParts, holdings: Holdings): Openings {
  const { clock, log } = parts
  const handouts = new Map<InfoHash, readonly ReachablePeer[]>()
  const uses = new Map<InfoHash, Use>()
  const opened = new Map<InfoHash, 'loading' | 'open' | 'closing'>()
  const onClosed = new Map<InfoHash, () => void>()
  const keptClosed = new Set<InfoHash>()
  /** One after the other where several ask for the same. */
  const closedTurns = new Map<InfoHash, Promise<void>>()
  const called = new Map<InfoHash, Timer>()
  let { rates } = parts
  let background: ReadonlySet<Sha256> = new Set()
  let revoked: readonly NodeName[] = []
  let neededUntilMs = 0
  let moved = noCounters
  let timer: Timer | undefined
  let stopped = false

  const strangers = openStrangers({
    clock,
    port: 'swarm port',
    onAttack: (attack) => parts.onEvent({ kind: 'attack', attack }),
  })
  const doubts = openDoubts({ clock })
  const alone = (what: string, work: Promise<unknown>) => {
    work.catch((error) => log.error(what, { error: messageOf(error) }))
  }
  const retryAtMs = (infoHash: InfoHash) => {
    const attempts = (holdings.get(infoHash)?.attempts ?? 0) + 1
    const fraction = parts.random.fraction()
    const [firstMs, ceilingMs] = [limits.failedRetryMs, limits.failedRetryCeilingMs]
    return clock.monotonicMs() + backOffMs({ failures: attempts, fraction, firstMs, ceilingMs })
  }
  const inUse = (infoHash: InfoHash, busy: boolean) => {
    uses.set(infoHash, { busy, untilMs: clock.monotonicMs() + limits.holdingIdleMs })
  }

  const keeper = keepEngine({
    factory: parts.engine,
    clock,
    random: parts.random,
    log,
    onRunning: () => {
      neededUntilMs = clock.monotonicMs() + parts.engineIdleMs
      // However long it took to start, whom it was started for still waits.
      for (const [infoHash, { busy }] of uses) inUse(infoHash, busy)
      const tls = parts.tls()
      keeper.send({ kind: 'start', self: parts.self, tls, site: parts.site(), rates, revoked: [...revoked] })
      look()
    },
    onReport: (report) => onReport(report),
    onCrash: () => {
      for (const [infoHash, state] of opened) if (state !== 'loading') holdings.setUnsure(infoHash, true)
      forgetOpened()
    },
    onFree: () => {
      forgetOpened()
      look()
    },
  })
  const plain = openPlainGiving({
    holding: (infoHash) => holdings.get(infoHash),
    send: (command) => keeper.send(command),
    wake: (infoHash) => {
      const isOpen = opened.get(infoHash) === 'open'
      inUse(infoHash, uses.get(infoHash)?.busy ?? false)
      look()
      return isOpen && opened.get(infoHash) === 'open'
    },
  })
  const forgetOpened = () => {
    for (const infoHash of opened.keys()) holdings.note(infoHash, { kind: 'reach', nobodyHas: false })
    plain.forget()
    opened.clear()
    uses.clear()
    for (const resolve of onClosed.values()) resolve()
  }

  const onReport = (report: EngineReport) => {
    switch (report.kind) {
      case 'ready':
        break
      case 'called':
        onCalled(report.infoHash)
        break
      case 'called-plainly':
        plain.called(report.infoHash)
        break
      case 'opened':
        holdings.setUnsure(report.infoHash, false)
        break
      case 'lost':
        holdings.note(report.infoHash, { kind: 'lost', at: clock.now() })
        break
      case 'stored':
        holdings.note(report.infoHash, report)
        break
      case 'reach':
        holdings.note(report.infoHash, report)
        break
      case 'counted':
        moved = sumOf(moved, report.counters)
        holdings.note(report.infoHash, { ...report, at: clock.now() })
        break
      case 'met':
      case 'parted':
        parts.onEvent(report)
        break
      case 'busy':
        inUse(report.infoHash, report.busy)
        look()
        break
      case 'completed':
        holdings.note(report.infoHash, { kind: 'completed', at: clock.now(), linkRate: parts.linkRate() })
        break
      case 'forged':
        holdings.note(report.infoHash, { ...report, at: clock.now(), retryAtMs: retryAtMs(report.infoHash) })
        break
      case 'failed':
        uses.delete(report.infoHash)
        holdings.note(report.infoHash, { ...report, retryAtMs: retryAtMs(report.infoHash) })
        break
      case 'poisoned':
        onPoisoned(report.infoHash, report.from, report.piece)
        break
      case 'closed':
        opened.delete(report.infoHash)
        holdings.note(report.infoHash, { kind: 'reach', nobodyHas: false })
        // Who called since wakes it again.
        if (!called.has(report.infoHash) && !plain.isWaitedFor(report.infoHash)) uses.delete(report.infoHash)
        onClosed.get(report.infoHash)?.()
        look()
        break
      case 'stranger':
        strangers.seen(report.address, report.because)
        break
      case 'caller':
        doubts.called(report.address, report.isKnown)
        if (report.isKnown) neededUntilMs = clock.monotonicMs() + parts.engineIdleMs
        break
      case 'note':
        log.debug(report.message, { about: report.about })
        break
      default:
        unreachable(report)
    }
  }
  const onCalled = (infoHash: InfoHash) => {
    if (holdings.get(infoHash)?.progress.kind === 'complete') inUse(infoHash, uses.get(infoHash)?.busy ?? false)
    called.get(infoHash)?.cancel()
    // It may be wanted in a moment: a child can hear of a swarm before its parent has read the manifest.
    const refuse = () => {
      called.delete(infoHash)
      if (!opened.has(infoHash)) keeper.send({ kind: 'refuse', infoHash })
    }
    const isUnknown = holdings.get(infoHash) === undefined
    called.set(infoHash, clock.after(isUnknown ? limits.unknownCallerWaitMs : limits.callerWaitMs, refuse))
    look()
  }
  const onPoisoned = (infoHash: InfoHash, from: NodeName, piece: number) => {
    const { name, version } = holdings.get(infoHash)?.spec ?? { name: infoHash, version: '' }
    const detail = `piece ${piece} of ${name} ${version} does not have its digest`
    parts.onEvent({ kind: 'attack', attack: { kind: 'piece-poisoned', from, at: clock.now(), detail } })
  }

  const look = () => {
    if (stopped) return
    const nowMs = clock.monotonicMs()
    const [wanted, lookAtMs] = wantedNow(nowMs)
    let againAtMs = lookAtMs
    if (wanted.size > 0 || keeper.callersWaiting() > 0) {
      neededUntilMs = nowMs + parts.engineIdleMs
      keeper.need()
    }
    if (keeper.kind() === 'running') {
      for (const infoHash of wanted) if (!opened.has(infoHash)) alone('holding not opened', open(infoHash))
      for (const [infoHash, state] of opened) if (state === 'open' && !wanted.has(infoHash)) close(infoHash)
      if (opened.size === 0 && neededUntilMs <= nowMs) alone('engine not ended', keeper.end())
      else if (opened.size === 0) againAtMs = Math.min(againAtMs, neededUntilMs)
    }
    timer?.cancel()
    timer = againAtMs === Number.POSITIVE_INFINITY ? undefined : clock.after(againAtMs - nowMs + 1, look)
  }
  const wantedNow = (nowMs: number): [Set<InfoHash>, lookAtMs: number] => {
    const wanted = new Set<InfoHash>()
    let lookAtMs = Number.POSITIVE_INFINITY
    for (const infoHash of awake()) {
      if (keptClosed.has(infoHash)) continue
      const before = holdings.get(infoHash)
      const isOver = before?.progress.kind === 'failed' && before.progress.retryAtMs <= nowMs
      if (before?.wanted && isOver) holdings.retry(infoHash)
      const holding = holdings.get(infoHash)
      if (holding === undefined) continue
      const use = uses.get(infoHash)
      if (shouldBeOpen(holding, use, nowMs)) wanted.add(infoHash)
      // What is over by now was acted upon, or is once its holding has closed: waking up for it again would never end.
      const atMs = nextLookAt(holding, use)
      if (atMs > nowMs) lookAtMs = Math.min(lookAtMs, atMs)
    }
    return [wanted, lookAtMs]
  }
  /** All others sleep, and there may be thousands of them. */
  function* awake(): Generator<InfoHash> {
    for (const { spec } of holdings.unfinished()) yield spec.payload.infoHash
    for (const infoHash of uses.keys()) {
      if (holdings.get(infoHash)?.progress.kind === 'complete') yield infoHash
    }
  }
  const open = async (infoHash: InfoHash) => {
    opened.set(infoHash, 'loading')
    try {
      const metainfo = await holdings.metainfo(infoHash)
      const holding = holdings.get(infoHash)
      if (keeper.kind() !== 'running' || opened.get(infoHash) !== 'loading') return
      if (holding === undefined || metainfo === undefined) throw new Failure('not-found', `no metainfo of ${infoHash}`)
      const { sha256, size, pieceLength } = holding.spec.payload
      opened.set(infoHash, 'open')
      keeper.send({
        kind: 'open',
        opening: {
          ...{ infoHash, metainfo, sha256, size, pieceLength, folder: parts.dir, bits: holding.bits },
          state: holding.progress.kind === 'complete' ? 'complete' : 'incoming',
          look: holdings.isUnsure(infoHash),
          meetings: meetingsWith(handouts.get(infoHash) ?? [], parts.self, parts.site()),
          background: background.has(holding.spec.manifest),
        },
      })
      plain.opened(infoHash)
      look()
    } catch (error) {
      opened.delete(infoHash)
      onClosed.get(infoHash)?.()
      holdings.note(infoHash, { kind: 'failed', because: messageOf(error), retryAtMs: retryAtMs(infoHash) })
    }
  }
  const close = (infoHash: InfoHash) => {
    opened.set(infoHash, 'closing')
    keeper.send({ kind: 'close', infoHash })
  }
  const whileClosed = async (infoHash: InfoHash, work: () => Promise<void>): Promise<void> => {
    keptClosed.add(infoHash)
    try {
      const closed = new Promise<void>((resolve) => onClosed.set(infoHash, resolve))
      look()
      if (opened.has(infoHash)) await closed
      await work()
    } finally {
      onClosed.delete(infoHash)
      keptClosed.delete(infoHash)
      look()
    }
  }
  return {
    look,
    plain,
    take: (caller, way) => {
      const isDoubted = way === 'swarm' && doubts.has(caller.remoteAddress ?? '')
      const isAwake = keeper.kind() === 'running' || keeper.kind() === 'starting'
      if (stopped || (isDoubted && !isAwake)) {
        caller.destroy()
        return
      }
      // Whoever he is: the engine must live long enough to find out.
      if (!isDoubted) neededUntilMs = clock.monotonicMs() + parts.engineIdleMs
      keeper.take(caller, way)
      look()
    },
    meet: (infoHash, peers) => {
      if (JSON.stringify(peers) === JSON.stringify(handouts.get(infoHash) ?? [])) return
      if (peers.length === 0) handouts.delete(infoHash)
      else handouts.set(infoHash, peers)
      if (opened.get(infoHash) === 'open') {
        keeper.send({ kind: 'meet', infoHash, meetings: meetingsWith(peers, parts.self, parts.site()) })
      } else if (peers.length > 0 && holdings.get(infoHash)?.progress.kind === 'complete') {
        // A peer that cannot call us, or a parent that has less than we, is to be fed.
        inUse(infoHash, false)
        look()
      }
    },
    part: (infoHash, node) => {
      if (opened.get(infoHash) === 'open') keeper.send({ kind: 'part', infoHash, node })
    },
    whileClosed: (infoHash, work) => {
      const turn = (closedTurns.get(infoHash) ?? Promise.resolve()).then(() => whileClosed(infoHash, work))
      const over = turn.catch(() => {})
      closedTurns.set(infoHash, over)
      void over.then(() => closedTurns.get(infoHash) === over && closedTurns.delete(infoHash))
      return turn
    },
    setRates: (next) => {
      rates = next
      keeper.send({ kind: 'rates', rates })
    },
    setBackground: (manifests) => {
      const before = background
      background = manifests
      for (const infoHash of opened.keys()) {
        const manifest = holdings.get(infoHash)?.spec.manifest ?? ''
        const isBackground = manifests.has(manifest)
        if (before.has(manifest) === isBackground) continue
        keeper.send({ kind: 'background', infoHash, background: isBackground })
      }
    },
    spent: (spending) => keeper.send({ kind: 'spent', ...spending }),
    setRevoked: (nodes) => {
      revoked = nodes
      keeper.send({ kind: 'revoked', nodes: [...nodes] })
    },
    renew: () => keeper.send({ kind: 'tls', tls: parts.tls() }),
    warmUp: () => {
      neededUntilMs = clock.monotonicMs() + parts.engineIdleMs
      keeper.need()
    },
    moved: () => ({ ...moved, engineStarts: keeper.starts() }),
    stop: async () => {
      stopped = true
      timer?.cancel()
      for (const waiting of called.values()) waiting.cancel()
      await keeper.end()
    },
  }
}
