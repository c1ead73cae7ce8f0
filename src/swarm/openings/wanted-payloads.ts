// Which payloads are wanted, and which of them have to wait: for a holding of another payload under
// the same info hash to be removed, or for another holding of the same payload to come in.

import { join } from 'node:path'
import { Failure, messageOf } from '../../model/failure.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import type { InfoHash, Sha256 } from '../../model/names.ts'
import { background } from '../../work/background.ts'
import type { Clock, Disk, Log } from '../../world/world.ts'
import { isSamePayload } from '../holdings/adding.ts'
import { isNeeded, type SwarmEvent } from '../holdings/holding.ts'
import type { Holdings } from '../holdings/holdings.ts'
import { checkedMetainfo } from '../metainfo.ts'

export interface WantedPayloads {
  /**
   * Replaces the list of wanted payloads. A payload that cannot be wanted is reported as failed,
   * once.
   */
  set(specs: readonly HoldingSpec[]): void
  /** A holding has changed: tries the payloads that wait. It may be called at any time. */
  look(): void
  /**
   * Takes up a payload that lies whole at `dir/<sha256>` and was just hashed. One that does not lie
   * there is fetched from whoever has it. Throws whatever `Holdings.add` throws.
   */
  adopt(spec: HoldingSpec): Promise<void>
}

export interface WantedPayloadsParts {
  /** The folder of the payloads. */
  dir: string
  disk: Pick<Disk, 'stat'>
  clock: Pick<Clock, 'now'>
  log: Log
  holdings: Holdings
  whileClosed: (infoHash: InfoHash, work: () => Promise<void>) => Promise<void>
  onEvent: (event: SwarmEvent) => void
}

export function createWantedPayloads(parts: WantedPayloadsParts): WantedPayloads {
  const { clock, log, holdings } = parts
  /** Each refusal is reported once, not each time the payload is wanted again. */
  const refused = new Set<InfoHash>()
  let waiting = new Map<InfoHash, HoldingSpec>()
  const replacements = createReplacements(parts)

  const want = (spec: HoldingSpec) => {
    const { infoHash } = spec.payload
    try {
      if (mustWait(spec)) return
      background('record holding', log, holdings.add(spec))
      refused.delete(infoHash)
      holdings.note(infoHash, { kind: 'wanted', at: clock.now() })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (refused.has(infoHash)) return
      refused.add(infoHash)
      parts.onEvent({ kind: 'failed', infoHash, name: spec.name, version: spec.version, because: error.message })
    }
  }
  const mustWait = (spec: HoldingSpec): boolean => {
    const { infoHash, sha256 } = spec.payload
    const existing = holdings.get(infoHash)
    const isComing = existing?.progress.kind !== 'complete'
    if (isOfAnother(spec) && isComing && !replacements.has(infoHash)) {
      // No holding is given up for a payload that cannot be taken.
      checkedMetainfo(spec.metainfo, spec.payload)
      replacements.start(infoHash).then(look, (error) => {
        waiting.delete(infoHash)
        log.error('holding not replaced', { error: messageOf(error) })
      })
    }
    // One holding at a time brings a payload: once it is here, the other holdings find it on disk.
    const isBrought = isComing && existing?.wanted !== true && isComingFor(holdings, sha256, infoHash)
    const waits = replacements.has(infoHash) || isBrought
    if (waits) waiting.set(infoHash, spec)
    return waits
  }
  const look = () => {
    const specs = waiting
    waiting = new Map()
    for (const spec of specs.values()) want(spec)
  }
  const isOfAnother = (spec: HoldingSpec): boolean => {
    const existing = holdings.get(spec.payload.infoHash)
    return existing !== undefined && !isSamePayload(existing.spec, spec)
  }
  return {
    set: (specs) => {
      waiting = new Map()
      const wanted = new Set(specs.map((spec) => spec.payload.infoHash))
      for (const holding of holdings.all()) {
        const { infoHash } = holding.spec.payload
        if (holding.wanted && !wanted.has(infoHash)) holdings.note(infoHash, { kind: 'unwanted' })
      }
      for (const spec of specs) want(spec)
    },
    look,
    adopt: async (spec) => {
      const { infoHash, sha256, size } = spec.payload
      const path = join(parts.dir, sha256)
      const stat = await parts.disk.stat(path)
      const isWhole = stat?.kind === 'file' && stat.size === size
      if (holdings.get(infoHash)?.mending === true) {
        // What the disk has damaged is on its way, and what is right of it is a part, unless it was
        // published again.
        const republished = () => holdings.happened(infoHash, { kind: 'adopted', at: clock.now() })
        if (isWhole) await parts.whileClosed(infoHash, republished)
        return
      }
      if (isOfAnother(spec) && holdings.get(infoHash)?.progress.kind !== 'complete') await replacements.start(infoHash)
      await holdings.add(spec)
      await holdings.happened(infoHash, { kind: isWhole ? 'adopted' : 'missing', at: clock.now() })
      if (!isWhole) log.warn('payload is missing, whoever has it is asked', { name: spec.name, version: spec.version })
    },
  }
}

/** Removes holdings of which all that is known is of another payload than the wanted one. */
function createReplacements({ log, holdings, whileClosed }: WantedPayloadsParts): {
  start(infoHash: InfoHash): Promise<void>
  /** Whether the removal of this holding is under way. */
  has(infoHash: InfoHash): boolean
} {
  const underWay = new Set<InfoHash>()
  return {
    start: (infoHash) => {
      underWay.add(infoHash)
      log.warn('holding is of another payload than wanted', { infoHash })
      const removed = whileClosed(infoHash, () => holdings.remove(infoHash))
      return removed.finally(() => underWay.delete(infoHash))
    },
    has: (infoHash) => underWay.has(infoHash),
  }
}

/** Whether another holding brings this payload just now. */
function isComingFor(holdings: Holdings, sha256: Sha256, apartFrom: InfoHash): boolean {
  for (const holding of holdings.ofPayload(sha256)) {
    const { infoHash } = holding.spec.payload
    if (infoHash !== apartFrom && isNeeded(holding) && holding.progress.kind === 'incoming') return true
  }
  return false
}
