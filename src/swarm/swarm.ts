// The control side of the swarm: it owns the holdings and the swarm port, and has an engine run
// while one is needed.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { HoldingSpec } from '../model/manifest.ts'
import type { InfoHash, Sha256 } from '../model/names.ts'
import type { Sent } from '../model/wire/announce.ts'
import type { Disk, Store } from '../world/world.ts'
import { type Scrubbed, type ScrubParts, startScrub } from './checking/scrub.ts'
import type { SwarmPort } from './engine.ts'
import type { EngineControl } from './engine-control.ts'
import { type Holdings, openHoldings } from './holdings/holdings.ts'
import { type HoldingViews, viewsOf } from './holdings/views.ts'
import { type Openings, type OpeningsParts, startOpenings } from './openings/openings.ts'
import { createWantedPayloads } from './openings/wanted-payloads.ts'

export interface SwarmParts
  extends Omit<OpeningsParts, 'engineIdleMs' | 'onDamaged'>,
    Pick<ScrubParts, 'checker' | 'scrubEveryMs' | 'onDamage'> {
  store: Store
  disk: Pick<Disk, 'list' | 'stat' | 'removeOne' | 'rename'>
  /** Where nodes of the fleet reach this node. Port 0 lets the system choose. */
  listen: { address: string; port: number }
  /** limits.engineIdleMs unless a test says otherwise. */
  engineIdleMs?: number
}

export interface Swarm extends EngineControl, HoldingViews {
  /** The port on which nodes of the fleet reach this node. */
  port: number
  /**
   * Replaces the list of wanted payloads. An unfinished payload that is not among them is paused;
   * its pieces are kept.
   */
  setWanted(specs: readonly HoldingSpec[]): void
  /**
   * Takes up a payload that lies whole at `dir/<sha256>` and was just hashed. Throws `not-found` if
   * it does not.
   */
  adopt(spec: HoldingSpec): Promise<void>
  /** Serves ordinary clients, which get nothing until `plain.setNamed` allows it. */
  plain: PlainSwarm
  /** The path of the payload; undefined unless it is complete and its SHA-256 was checked. */
  payloadPath(sha256: Sha256): string | undefined
  /**
   * Somebody found the payload wrong: reads all of it from the disk. Resolves when what is wrong is
   * being fetched again.
   */
  recheck(sha256: Sha256): Promise<void>
  /** See `Receipts.take`. */
  received(infoHash: InfoHash): Sent[]
  /** What the checks of the stored payloads have found. */
  scrubbed(): Scrubbed
  /** Removes the payload and its record. */
  forget(infoHash: InfoHash): Promise<void>
  /** Resolves when the engine has ended and everything it reported is recorded. */
  close(): Promise<void>
}

export interface PlainSwarm {
  /** Throws `conflict` if the port is taken. */
  listen(at: { address: string; port: number }): Promise<SwarmPort>
  /**
   * Lets ordinary clients have the payloads of these manifests, as far as they are whole here.
   * Replaces the last list.
   */
  setNamed(manifests: ReadonlySet<Sha256>): void
  /** Whether ordinary clients may have this payload. */
  gives(infoHash: InfoHash): boolean
  /**
   * A metainfo file with nothing but the info dictionary; undefined if the payload is neither here
   * nor wanted.
   */
  metainfo(infoHash: InfoHash): Promise<Uint8Array | undefined>
}

/** Throws `conflict` if the swarm port is taken. */
export async function openSwarm(parts: SwarmParts): Promise<Swarm> {
  const { log, engine } = parts
  let isClosed = false
  const holdings = await openHoldings({
    ...parts,
    onEvent: (event) => {
      if (event.kind === 'damaged') scrub.damaged(event)
      parts.onEvent(event)
    },
    onChange: () => {
      openings.look()
      wanted.look()
    },
  })
  const openings = startOpenings(
    {
      ...parts,
      engineIdleMs: parts.engineIdleMs ?? limits.engineIdleMs,
      onDamaged: (infoHash, pieces) => scrub.found(infoHash, pieces),
    },
    holdings,
  )
  const { whileClosed, control, plain } = openings
  const wanted = createWantedPayloads({ ...parts, holdings, whileClosed })
  const scrub = await startScrub({ ...parts, holdings, whileClosed })
  const port = await engine.listen({ ...parts.listen, onCaller: (caller) => openings.take(caller, 'swarm') })
  const checking = checkFiles({ ...parts, holdings, whileClosed, isClosed: () => isClosed }).catch((error) =>
    log.error('files not checked', { error: messageOf(error) }),
  )
  return {
    ...control,
    ...viewsOf(holdings),
    port: port.port,
    setWanted: wanted.set,
    adopt: wanted.adopt,
    plain: {
      listen: (at) => engine.listen({ ...at, onCaller: (caller) => openings.take(caller, 'plain') }),
      setNamed: plain.setNamed,
      gives: plain.gives,
      metainfo: holdings.metainfo,
    },
    payloadPath: holdings.payloadPath,
    received: openings.received,
    recheck: scrub.recheck,
    scrubbed: scrub.now,
    forget: async (infoHash) => {
      await whileClosed(infoHash, () => holdings.remove(infoHash))
      control.setPeers(infoHash, [])
    },
    close: async () => {
      isClosed = true
      scrub.stop()
      const closed = port.close()
      await openings.stop()
      await closed
      await checking
      await holdings.close()
    },
  }
}

/**
 * Compares the file of each whole payload with its size; of a file that was cut, what is missing
 * comes in anew. This runs beside the start, which looks at the names only: thousands of files would have
 * the node wait for their sizes.
 */
async function checkFiles(
  parts: Pick<SwarmParts, 'clock' | 'log'> &
    Pick<Openings, 'whileClosed'> & { holdings: Holdings; isClosed: () => boolean },
): Promise<void> {
  const { holdings, clock, log } = parts
  for (const { spec, progress } of [...holdings.all()]) {
    if (parts.isClosed()) return
    const { infoHash, sha256 } = spec.payload
    if (progress.kind !== 'complete' || (await holdings.hasFile(infoHash))) continue
    log.warn('payload is cut', { payload: sha256 })
    await parts.whileClosed(infoHash, () => holdings.damaged(infoHash, 'unknown', clock.now()))
  }
}
