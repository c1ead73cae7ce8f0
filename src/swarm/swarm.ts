// The control side of the swarm: it owns the holdings and the swarm port, and has an engine run
// while one is needed.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { HoldingSpec } from '../model/manifest.ts'
import type { InfoHash, Sha256 } from '../model/names.ts'
import type { Disk, Store } from '../world/world.ts'
import type { SwarmPort } from './engine.ts'
import type { EngineControl } from './engine-control.ts'
import { type Holdings, openHoldings } from './holdings/holdings.ts'
import { type HoldingViews, viewsOf } from './holdings/views.ts'
import { type Openings, type OpeningsParts, startOpenings } from './openings.ts'
import { createWantedPayloads } from './wanted-payloads.ts'

export interface SwarmParts extends Omit<OpeningsParts, 'engineIdleMs'> {
  store: Store
  disk: Pick<Disk, 'list' | 'stat' | 'remove'>
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
    onChange: () => {
      openings.look()
      wanted.look()
    },
  })
  const openings = startOpenings({ ...parts, engineIdleMs: parts.engineIdleMs ?? limits.engineIdleMs }, holdings)
  const { whileClosed, control, plain } = openings
  const wanted = createWantedPayloads({ ...parts, holdings, whileClosed })
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
    forget: async (infoHash) => {
      await whileClosed(infoHash, () => holdings.remove(infoHash))
      control.setPeers(infoHash, [])
    },
    close: async () => {
      isClosed = true
      const closed = port.close()
      await openings.stop()
      await closed
      await checking
      await holdings.close()
    },
  }
}

/**
 * Compares the file of each whole payload with its size; a payload whose file was cut comes in
 * anew. This runs beside the start, which looks at the names only: thousands of files would have
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
    await parts.whileClosed(infoHash, () => holdings.happened(infoHash, { kind: 'lost', at: clock.now() }))
  }
}
