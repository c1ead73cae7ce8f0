// The control side of the swarm: it owns the holdings and the swarm port, and has an engine run while one is needed.

import { join } from 'node:path'
import { Failure, messageOf, unreachable } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName, Sha256 } from '../model/names.ts'
import type { Transfer } from '../model/report.ts'
import type { Clock, Disk, Log, Random, Store, Timer, TlsIdentity } from '../world/world.ts'
import type { EngineFactory, EngineReport, Rates } from './engine.ts'
import {
  type Have,
  type Holding,
  type HoldingEvent,
  type HoldingSpec,
  haveOf,
  newHolding,
  type SwarmEvent,
  transferOf,
  transition,
} from './holding.ts'
import { keepEngine } from './keeper.ts'
import { checkedMetainfo } from './metainfo.ts'
import { meetingsWith, nextLookAt, type ReachablePeer, shouldBeOpen, type Use } from './opening.ts'
import { openRecords } from './records.ts'
import { delayBefore } from './retry.ts'
import { openStrangers } from './strangers.ts'

export interface SwarmParts {
  /** The folder of the payloads; it exists. */
  dir: string
  store: Store
  disk: Pick<Disk, 'stat' | 'remove'>
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  tls: () => TlsIdentity
  self: NodeName
  /** The site that the tracker counts this node to. */
  site: () => string | null
  listen: { address: string; port: number }
  rates: Rates
  engine: EngineFactory
  engineIdleMs?: number
  onEvent: (event: SwarmEvent) => void
}

export interface Swarm {
  port: number
  /** All that has to be here. What is incomplete and not among them is paused; its pieces are kept. */
  setWanted(specs: readonly HoldingSpec[]): void
  /** Takes a payload that already lies whole at `dir/<sha256>` and was just hashed. */
  adopt(spec: HoldingSpec): Promise<void>
  /** Whom to dial for it. */
  setPeers(infoHash: InfoHash, peers: readonly ReachablePeer[]): void
  /** What this node gives and takes: for the announce. */
  holdings(): { infoHash: InfoHash; manifest: Sha256; have: Have }[]
  transfers(): Transfer[]
  /** Where the payload lies; undefined unless it is complete and its SHA-256 was checked. */
  payloadPath(sha256: Sha256): string | undefined
  /** Removes the payload and its record. */
  forget(infoHash: InfoHash): Promise<void>
  setRates(rates: Rates): void
  /** Nodes whose certificates have ended before their time; their wires are cut. */
  setRevoked(nodes: readonly NodeName[]): void
  /** The certificate changed. */
  renew(): void
  /** A transfer is likely to start soon: have an engine ready. */
  warmUp(): void
  close(): Promise<void>
}

export async function openSwarm(parts: SwarmParts): Promise<Swarm> {
  const { clock, log, dir, disk } = parts
  const records = await openRecords(parts.store)
  const holdings = new Map<InfoHash, Holding>()
  const adding = new Map<InfoHash, Promise<void>>()
  const handouts = new Map<InfoHash, readonly ReachablePeer[]>()
  const uses = new Map<InfoHash, Use>()
  const opened = new Map<InfoHash, 'loading' | 'open' | 'closing'>()
  const onClosed = new Map<InfoHash, () => void>()
  /** Holdings in which pieces without a recorded bit may lie. */
  const unsure = new Set<InfoHash>()
  const refused = new Set<InfoHash>()
  const forgetting = new Set<InfoHash>()
  const called = new Map<InfoHash, Timer>()
  const engineIdleMs = parts.engineIdleMs ?? limits.engineIdleMs
  let rates = parts.rates
  let revoked: readonly NodeName[] = []
  let neededUntilMs = 0
  let timer: Timer | undefined
  let closing = false

  for (const holding of records.holdings) {
    const { infoHash, sha256, size } = holding.spec.payload
    holdings.set(infoHash, holding)
    if (holding.progress.kind !== 'complete') {
      if (!records.endedClean) unsure.add(infoHash)
      continue
    }
    const stat = await disk.stat(join(dir, sha256))
    if (stat?.kind === 'file' && stat.size === size) continue
    log.warn('payload is gone', { payload: sha256 })
    const [lost] = transition(holding, { kind: 'lost' })
    holdings.set(infoHash, lost)
    await records.save(lost)
  }
  const strangers = openStrangers({ clock, onAttack: (attack) => parts.onEvent({ kind: 'attack', attack }) })
  const background = (what: string, work: Promise<unknown>) => {
    work.catch((error) => log.error(what, { error: messageOf(error) }))
  }
  const happened = (infoHash: InfoHash, event: HoldingEvent): Promise<void> => {
    const holding = holdings.get(infoHash)
    if (holding === undefined) return Promise.resolve()
    const [next, effects] = transition(holding, event)
    holdings.set(infoHash, next)
    const recorded = effects.some(({ kind }) => kind === 'record') ? records.save(next) : Promise.resolve()
    if (next.progress !== holding.progress || next.wanted !== holding.wanted) look()
    return recorded.then(() => {
      for (const effect of effects) if (effect.kind === 'tell') parts.onEvent(effect.event)
    })
  }
  const note = (infoHash: InfoHash, event: HoldingEvent) =>
    background('holding not recorded', happened(infoHash, event))
  const retryAtMs = (infoHash: InfoHash) => {
    const attempts = (holdings.get(infoHash)?.attempts ?? 0) + 1
    const fraction = parts.random.fraction()
    return clock.monotonicMs() + delayBefore(attempts, fraction, limits.failedRetryMs, limits.failedRetryCeilingMs)
  }

  const keeper = keepEngine({
    factory: parts.engine,
    clock,
    random: parts.random,
    log,
    onRunning: () => {
      neededUntilMs = clock.monotonicMs() + engineIdleMs
      const tls = parts.tls()
      keeper.send({ kind: 'start', self: parts.self, tls, site: parts.site(), rates, revoked: [...revoked] })
      look()
    },
    onReport: (report) => onReport(report),
    onCrash: () => {
      for (const [infoHash, state] of opened) if (state !== 'loading') unsure.add(infoHash)
      engineGone()
    },
    onFree: () => {
      engineGone()
      look()
    },
  })
  const engineGone = () => {
    opened.clear()
    uses.clear()
    for (const resolve of onClosed.values()) resolve()
  }

  const onReport = (report: EngineReport): void => {
    switch (report.kind) {
      case 'ready':
        return
      case 'called':
        return onCalled(report.infoHash)
      case 'opened':
        unsure.delete(report.infoHash)
        return
      case 'lost':
      case 'stored':
      case 'counted':
        return note(report.infoHash, report)
      case 'busy': {
        uses.set(report.infoHash, { busy: report.busy, untilMs: clock.monotonicMs() + limits.holdingIdleMs })
        return look()
      }
      case 'completed':
        return note(report.infoHash, { kind: 'completed', at: clock.now() })
      case 'forged':
        return note(report.infoHash, { ...report, at: clock.now(), retryAtMs: retryAtMs(report.infoHash) })
      case 'failed':
        uses.delete(report.infoHash)
        return note(report.infoHash, { ...report, retryAtMs: retryAtMs(report.infoHash) })
      case 'poisoned': {
        const { name, version } = holdings.get(report.infoHash)?.spec ?? { name: report.infoHash, version: '' }
        const detail = `piece ${report.piece} of ${name} ${version} does not have its digest`
        const attack = { kind: 'piece-poisoned' as const, from: report.from, at: clock.now(), detail }
        return parts.onEvent({ kind: 'attack', attack })
      }
      case 'closed': {
        opened.delete(report.infoHash)
        if (!called.has(report.infoHash)) uses.delete(report.infoHash)
        onClosed.get(report.infoHash)?.()
        return look()
      }
      case 'stranger':
        return strangers.seen(report.address, report.because)
      case 'note':
        return log.debug(report.message, { about: report.about })
      default:
        return unreachable(report)
    }
  }
  const onCalled = (infoHash: InfoHash) => {
    if (holdings.get(infoHash)?.progress.kind === 'complete') {
      const busy = uses.get(infoHash)?.busy ?? false
      uses.set(infoHash, { busy, untilMs: clock.monotonicMs() + limits.holdingIdleMs })
    }
    // It may be wanted in a moment: a child can hear of a swarm before its parent has read the manifest.
    called.get(infoHash)?.cancel()
    called.set(
      infoHash,
      clock.after(limits.callerWaitMs, () => {
        called.delete(infoHash)
        if (!opened.has(infoHash)) keeper.send({ kind: 'refuse', infoHash })
      }),
    )
    look()
  }

  /** Compares what should be open with what is, and acts on the difference; repeatable at any time. */
  const look = () => {
    if (closing) return
    const nowMs = clock.monotonicMs()
    let againAtMs = Number.POSITIVE_INFINITY
    const wanted = new Set<InfoHash>()
    for (const [infoHash, holding] of holdings) {
      if (forgetting.has(infoHash)) continue
      const { progress } = holding
      if (holding.wanted && progress.kind === 'failed' && progress.retryAtMs <= nowMs) {
        holdings.set(infoHash, transition(holding, { kind: 'retry' })[0])
      }
      const current = holdings.get(infoHash) ?? holding
      const use = uses.get(infoHash)
      if (shouldBeOpen(current, use, nowMs)) wanted.add(infoHash)
      againAtMs = Math.min(againAtMs, Math.max(nextLookAt(current, use), nowMs))
    }
    if (wanted.size > 0 || keeper.callersWaiting() > 0) {
      neededUntilMs = nowMs + engineIdleMs
      keeper.need()
    }
    if (keeper.kind() === 'running') {
      for (const infoHash of wanted) if (!opened.has(infoHash)) background('holding not opened', open(infoHash))
      for (const [infoHash, state] of opened) if (state === 'open' && !wanted.has(infoHash)) close(infoHash)
      if (opened.size === 0 && neededUntilMs <= nowMs) background('engine not ended', keeper.end())
      else if (opened.size === 0) againAtMs = Math.min(againAtMs, neededUntilMs)
    }
    timer?.cancel()
    timer = againAtMs === Number.POSITIVE_INFINITY ? undefined : clock.after(againAtMs - nowMs + 1, look)
  }
  const open = async (infoHash: InfoHash) => {
    opened.set(infoHash, 'loading')
    try {
      await adding.get(infoHash)
      const metainfo = await records.metainfo(infoHash)
      const holding = holdings.get(infoHash)
      if (keeper.kind() !== 'running' || opened.get(infoHash) !== 'loading') return
      if (holding === undefined || metainfo === undefined) throw new Failure('not-found', `no metainfo of ${infoHash}`)
      const { sha256, size, pieceLength } = holding.spec.payload
      opened.set(infoHash, 'open')
      keeper.send({
        kind: 'open',
        opening: {
          ...{ infoHash, metainfo, sha256, size, pieceLength, folder: dir, bits: holding.bits },
          state: holding.progress.kind === 'complete' ? 'complete' : 'incoming',
          look: unsure.has(infoHash),
          meetings: meetingsWith(handouts.get(infoHash) ?? [], parts.self, parts.site()),
        },
      })
      look()
    } catch (error) {
      opened.delete(infoHash)
      note(infoHash, { kind: 'failed', because: messageOf(error), retryAtMs: retryAtMs(infoHash) })
    }
  }
  const close = (infoHash: InfoHash) => {
    opened.set(infoHash, 'closing')
    keeper.send({ kind: 'close', infoHash })
  }
  const add = (spec: HoldingSpec): Promise<void> => {
    const { infoHash } = spec.payload
    const known = holdings.get(infoHash)
    if (known !== undefined) return adding.get(infoHash) ?? Promise.resolve()
    const metainfo = checkedMetainfo(spec.metainfo, spec.payload)
    const { metainfo: _, ...held } = spec
    holdings.set(infoHash, newHolding(held))
    const added = records.add({ ...held, metainfo }).finally(() => adding.delete(infoHash))
    adding.set(infoHash, added)
    return added
  }

  const listener = await parts.engine.listen({
    ...parts.listen,
    onCaller: (caller) => {
      if (closing) return caller.destroy()
      keeper.take(caller)
      look()
    },
  })
  return {
    port: listener.port,
    setWanted: (specs) => {
      const wanted = new Set(specs.map((spec) => spec.payload.infoHash))
      for (const [infoHash, holding] of holdings) {
        if (holding.wanted && !wanted.has(infoHash)) note(infoHash, { kind: 'unwanted' })
      }
      for (const spec of specs) {
        const { infoHash } = spec.payload
        try {
          background('holding not recorded', add(spec))
          refused.delete(infoHash)
        } catch (error) {
          if (!(error instanceof Failure)) throw error
          if (refused.has(infoHash)) continue
          refused.add(infoHash)
          const { name, version } = spec
          parts.onEvent({ kind: 'failed', infoHash, name, version, because: error.message })
          continue
        }
        note(infoHash, { kind: 'wanted', at: clock.now() })
      }
    },
    adopt: async (spec) => {
      const { infoHash, sha256, size } = spec.payload
      const stat = await disk.stat(join(dir, sha256))
      if (stat?.size !== size) throw new Failure('not-found', `${join(dir, sha256)} is not the payload of ${spec.name}`)
      await add(spec)
      await happened(infoHash, { kind: 'adopted', at: clock.now() })
    },
    setPeers: (infoHash, peers) => {
      if (JSON.stringify(peers) === JSON.stringify(handouts.get(infoHash) ?? [])) return
      if (peers.length === 0) handouts.delete(infoHash)
      else handouts.set(infoHash, peers)
      if (peers.length > 0 && holdings.get(infoHash)?.progress.kind === 'complete') {
        // A peer that cannot call us, or a parent that lost it, is to be fed.
        uses.set(infoHash, { busy: false, untilMs: clock.monotonicMs() + limits.holdingIdleMs })
        look()
      }
      if (opened.get(infoHash) !== 'open') return
      keeper.send({ kind: 'meet', infoHash, meetings: meetingsWith(peers, parts.self, parts.site()) })
    },
    holdings: () =>
      [...holdings.values()]
        .filter((holding) => holding.wanted || holding.progress.kind === 'complete')
        .map((holding) => {
          const { manifest, payload } = holding.spec
          return { infoHash: payload.infoHash, manifest, have: haveOf(holding) }
        }),
    transfers: () =>
      [...holdings.values()]
        .filter((holding) => holding.wanted || holding.progress.kind === 'complete')
        .map(transferOf),
    payloadPath: (sha256) => {
      for (const { progress, spec } of holdings.values()) {
        if (progress.kind === 'complete' && spec.payload.sha256 === sha256) return join(dir, sha256)
      }
      return undefined
    },
    forget: async (infoHash) => {
      const holding = holdings.get(infoHash)
      if (holding === undefined) return
      forgetting.add(infoHash)
      try {
        const closed = new Promise<void>((resolve) => onClosed.set(infoHash, resolve))
        look()
        if (opened.has(infoHash)) await closed
        await adding.get(infoHash)
        await records.remove(infoHash)
        await disk.remove(join(dir, holding.spec.payload.sha256))
        await disk.remove(join(dir, `${holding.spec.payload.sha256}.part`))
        holdings.delete(infoHash)
        handouts.delete(infoHash)
        unsure.delete(infoHash)
      } finally {
        onClosed.delete(infoHash)
        forgetting.delete(infoHash)
      }
    },
    setRates: (next) => {
      rates = next
      keeper.send({ kind: 'rates', rates })
    },
    setRevoked: (nodes) => {
      revoked = nodes
      keeper.send({ kind: 'revoked', nodes: [...nodes] })
    },
    renew: () => keeper.send({ kind: 'tls', tls: parts.tls() }),
    warmUp: () => {
      neededUntilMs = clock.monotonicMs() + engineIdleMs
      keeper.need()
    },
    close: async () => {
      closing = true
      timer?.cancel()
      for (const waiting of called.values()) waiting.cancel()
      await listener.close()
      await keeper.end()
      await records.close()
    },
  }
}
