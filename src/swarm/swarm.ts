// The control side of the swarm: it owns the holdings and the swarm port, and has an engine run while one is needed.

import { join } from 'node:path'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { HoldingSpec } from '../model/manifest.ts'
import type { InfoHash, Instant, NodeName, PackageName, PackageVersion, Sha256 } from '../model/names.ts'
import type { Transfer } from '../model/report.ts'
import type { Rates } from '../model/units/rates.ts'
import type { AnnouncedSwarm } from '../model/wire/announce.ts'
import type { Clock, Disk, Log, Random, Store, TlsIdentity } from '../world/world.ts'
import type { EngineFactory, Spending, SwarmPort } from './engine.ts'
import { bytesOf } from './holdings/bits.ts'
import { type Have, type Holding, haveOf, type SwarmEvent, transferOf } from './holdings/holding.ts'
import { isSamePayload, openHoldings } from './holdings/holdings.ts'
import { checkedMetainfo } from './metainfo.ts'
import type { ReachablePeer } from './opening.ts'
import { keepOpenings, type Moved } from './openings.ts'

export interface SwarmParts {
  /** The folder of the payloads; it exists. */
  dir: string
  store: Store
  disk: Pick<Disk, 'list' | 'stat' | 'remove'>
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  tls: () => TlsIdentity
  self: NodeName
  /** The site that the tracker counts this node to. */
  site: () => string | null
  listen: { address: string; port: number }
  rates: Rates
  /** Bytes per second that can come in over the link of this site; null where that is not known. */
  linkRate: () => number | null
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
  /** Cuts the wire to a node, for this payload and until it dials again. */
  part(infoHash: InfoHash, node: NodeName): void
  /** What this node gives and takes. */
  holdings(): AnnouncedSwarm[]
  /** Of those the ones that are wanted and not whole, for the announce; */
  unfinished(): AnnouncedSwarm[]
  /** and those that are whole, which may be thousands. The set is another one only when its contents are. */
  whole(): ReadonlySet<InfoHash>
  /** Of one payload; undefined if this node neither has nor wants it. */
  have(infoHash: InfoHash): Have | undefined
  /** The unfinished ones and then the newest whole ones, limits.reportTransfersMax at most unless it says otherwise. */
  transfers(max?: number): Transfer[]
  /** Of one payload; undefined if this node neither has nor wants it. */
  transfer(infoHash: InfoHash): Transfer | undefined
  /** Ordinary clients; they are given nothing until it is said what they may be given. */
  plain: PlainSwarm
  /** Where the payload lies; undefined unless it is complete and its SHA-256 was checked. */
  payloadPath(sha256: Sha256): string | undefined
  /** All that lies in the store, whole or in part, wanted or not. */
  stored(): StoredPayload[]
  /** Removes the payload and its record. */
  forget(infoHash: InfoHash): Promise<void>
  setRates(rates: Rates): void
  /** By manifest: the payloads whose pieces yield to all others. */
  setBackground(manifests: ReadonlySet<Sha256>): void
  /** What went over the network in another way counts for the rates. */
  spent(spending: Spending): void
  /** Nodes whose certificates have ended before their time; their wires are cut. */
  setRevoked(nodes: readonly NodeName[]): void
  /** The certificate changed. */
  renew(): void
  /** A transfer is likely to start soon: have an engine ready. */
  warmUp(): void
  moved(): Moved
  close(): Promise<void>
}

export interface PlainSwarm {
  /** Throws `conflict` if the port is taken. */
  listen(at: { address: string; port: number }): Promise<SwarmPort>
  /** They may be given the payloads of these manifests, as far as they are here whole. */
  setNamed(manifests: ReadonlySet<Sha256>): void
  gives(infoHash: InfoHash): boolean
  /** Of one that is here or wanted: its info dictionary, in a metainfo file with nothing else. */
  metainfo(infoHash: InfoHash): Promise<Uint8Array | undefined>
}

export interface StoredPayload {
  infoHash: InfoHash
  sha256: Sha256
  manifest: Sha256
  name: PackageName
  version: PackageVersion
  /** On the disk. */
  bytes: number
  /** When it came, or its bytes last went in or out. */
  usedAt: Instant
}

export async function openSwarm(parts: SwarmParts): Promise<Swarm> {
  const { clock, log, dir, disk } = parts
  /** Told once, not each time somebody wants it again. */
  const refused = new Set<InfoHash>()
  /** Wanted, and waiting for another holding to be removed or to get on. */
  let heldBack = new Map<InfoHash, HoldingSpec>()
  const replacing = new Set<InfoHash>()
  let stopped = false
  const holdings = await openHoldings({
    ...parts,
    onChange: () => {
      openings.look()
      wantHeldBack()
    },
  })
  const openings = keepOpenings({ ...parts, engineIdleMs: parts.engineIdleMs ?? limits.engineIdleMs }, holdings)
  const port = await parts.engine.listen({ ...parts.listen, onCaller: (caller) => openings.take(caller, 'swarm') })

  const want = (spec: HoldingSpec) => {
    const { name, version, payload } = spec
    const { infoHash } = payload
    try {
      if (mustWait(spec)) return
      holdings.add(spec).catch((error) => log.error('holding not recorded', { error: messageOf(error) }))
      refused.delete(infoHash)
      holdings.note(infoHash, { kind: 'wanted', at: clock.now() })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (refused.has(infoHash)) return
      refused.add(infoHash)
      parts.onEvent({ kind: 'failed', infoHash, name, version, because: error.message })
    }
  }
  const wantHeldBack = () => {
    const specs = heldBack
    heldBack = new Map()
    for (const spec of specs.values()) want(spec)
  }
  const mustWait = (spec: HoldingSpec): boolean => {
    const { infoHash, sha256 } = spec.payload
    const existing = holdings.get(infoHash)
    const isOther = existing !== undefined && !isSamePayload(existing.spec, spec)
    const isComing = existing?.progress.kind !== 'complete'
    if (isOther && isComing && !replacing.has(infoHash)) {
      // Nothing is given up for one that cannot be taken.
      checkedMetainfo(spec.metainfo, spec.payload)
      replace(infoHash).then(
        () => wantHeldBack(),
        (error) => {
          heldBack.delete(infoHash)
          log.error('holding not replaced', { error: messageOf(error) })
        },
      )
    }
    // One at a time brings a payload: when it is here, the others find it on disk.
    const waits = replacing.has(infoHash) || (isComing && existing?.wanted !== true && isComingFor(sha256, infoHash))
    if (waits) heldBack.set(infoHash, spec)
    return waits
  }
  const isComingFor = (sha256: Sha256, apartFrom: InfoHash) => {
    for (const { spec, wanted, progress } of holdings.ofPayload(sha256)) {
      if (spec.payload.infoHash !== apartFrom && wanted && progress.kind === 'incoming') return true
    }
    return false
  }
  /** What is known of it was of another payload. */
  const replace = (infoHash: InfoHash): Promise<void> => {
    replacing.add(infoHash)
    log.warn('holding is of another payload than wanted', { infoHash })
    const removed = openings.whileClosed(infoHash, () => holdings.remove(infoHash))
    return removed.finally(() => replacing.delete(infoHash))
  }
  // At the start only the names are looked at: thousands of files would have the node wait for their sizes.
  const checkFiles = async () => {
    for (const { spec, progress } of [...holdings.all()]) {
      if (stopped) return
      const { infoHash } = spec.payload
      if (progress.kind !== 'complete' || (await holdings.hasFile(infoHash))) continue
      log.warn('payload is cut', { payload: spec.payload.sha256 })
      await openings.whileClosed(infoHash, () => holdings.happened(infoHash, { kind: 'lost', at: clock.now() }))
    }
  }
  const checking = checkFiles().catch((error) => log.error('files not checked', { error: messageOf(error) }))
  return {
    port: port.port,
    setWanted: (specs) => {
      const wanted = new Set(specs.map((spec) => spec.payload.infoHash))
      heldBack = new Map()
      for (const holding of holdings.all()) {
        const { infoHash } = holding.spec.payload
        if (holding.wanted && !wanted.has(infoHash)) holdings.note(infoHash, { kind: 'unwanted' })
      }
      for (const spec of specs) want(spec)
    },
    adopt: async (spec) => {
      const { infoHash, sha256, size } = spec.payload
      const path = join(dir, sha256)
      const stat = await disk.stat(path)
      if (stat?.size !== size) throw new Failure('not-found', `${path} is not the payload of ${spec.name}`)
      const existing = holdings.get(infoHash)
      const isOther = existing !== undefined && !isSamePayload(existing.spec, spec)
      if (isOther && existing.progress.kind !== 'complete') await replace(infoHash)
      await holdings.add(spec)
      await holdings.happened(infoHash, { kind: 'adopted', at: clock.now() })
    },
    setPeers: (infoHash, peers) => openings.meet(infoHash, peers),
    part: (infoHash, node) => openings.part(infoHash, node),
    holdings: () => [...holdings.all()].filter(isHeld).map(announcedOf),
    unfinished: () => [...holdings.unfinished()].filter(isHeld).map(announcedOf),
    whole: () => holdings.whole(),
    have: (infoHash) => {
      const holding = holdings.get(infoHash)
      return holding !== undefined && isHeld(holding) ? haveOf(holding) : undefined
    },
    transfers: (max = limits.reportTransfersMax) => {
      const unfinished = [...holdings.unfinished()].filter(isHeld).slice(0, max)
      return [...unfinished, ...holdings.newest(max - unfinished.length)].map(transferOf)
    },
    transfer: (infoHash) => {
      const holding = holdings.get(infoHash)
      return holding !== undefined && isHeld(holding) ? transferOf(holding) : undefined
    },
    plain: {
      listen: (at) => parts.engine.listen({ ...at, onCaller: (caller) => openings.take(caller, 'plain') }),
      setNamed: (manifests) => openings.plain.setNamed(manifests),
      gives: (infoHash) => openings.plain.gives(infoHash),
      metainfo: (infoHash) => holdings.metainfo(infoHash),
    },
    payloadPath: (sha256) => holdings.payloadPath(sha256),
    stored: () =>
      [...holdings.all()].map(({ spec, progress, bits, usedAt, completedAt, startedAt }) => ({
        ...{ infoHash: spec.payload.infoHash, sha256: spec.payload.sha256, manifest: spec.manifest },
        ...{ name: spec.name, version: spec.version },
        bytes: progress.kind === 'complete' ? spec.payload.size : bytesOf(bits, spec.payload),
        usedAt: Math.max(usedAt ?? 0, completedAt ?? 0, startedAt ?? 0),
      })),
    forget: async (infoHash) => {
      await openings.whileClosed(infoHash, () => holdings.remove(infoHash))
      openings.meet(infoHash, [])
    },
    setRates: (rates) => openings.setRates(rates),
    setBackground: (manifests) => openings.setBackground(manifests),
    spent: (spending) => openings.spent(spending),
    setRevoked: (nodes) => openings.setRevoked(nodes),
    renew: () => openings.renew(),
    warmUp: () => openings.warmUp(),
    moved: () => openings.moved(),
    close: async () => {
      stopped = true
      const closed = port.close()
      await openings.stop()
      await closed
      await checking
      await holdings.close()
    },
  }
}

/** A paused one gives and takes nothing. */
function isHeld(holding: Holding): boolean {
  return holding.wanted || holding.progress.kind === 'complete'
}

function announcedOf(holding: Holding): AnnouncedSwarm {
  const { manifest, payload } = holding.spec
  const have = haveOf(holding)
  const announced = { infoHash: payload.infoHash, manifest, have }
  return have === 'some' ? { ...announced, bytes: bytesOf(holding.bits, payload) } : announced
}
