// Keeps the swarm and the disk at what the state wants: payloads for this machine and for the
// children, small payloads as objects, and room for them.

import { limits } from '../../model/limits.ts'
import type { HoldingSpec, Manifest } from '../../model/manifest.ts'
import type { InfoHash, Sha256 } from '../../model/names.ts'
import { specOf } from '../../objects/manifests.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import { createSmallPayloads } from '../../objects/small-payloads.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { repeatable } from '../../work/background.ts'
import type { Clock, Log } from '../../world/world.ts'
import type { DiskLimits } from '../disk/disk-limits.ts'
import { ownPayloadsWanted, payloadPaths, specOfWanted } from '../disk/payloads.ts'
import type { Event } from '../state/events.ts'
import type { State, WantedSwarm } from '../state/state.ts'
import { failureOf } from './failure-of.ts'
import type { Loading } from './loading.ts'

export interface HoldingParts {
  clock: Clock
  log: Log
  source: ObjectSource
  swarm: Pick<Swarm, 'have' | 'setWanted' | 'payloadPath'>
  /** Null at a root, which keeps everything. */
  diskLimits: DiskLimits | null
  loading: Pick<Loading, 'failed'>
  state: () => State
  dispatch: (event: Event) => void
  announce: () => void
  /** Announces unless the tracker knows all of it. */
  announceNews: () => void
  lookWithin: (ms: number) => void
}

export interface Holding {
  hold(): void
  /** Holds what is wanted now and resolves once the swarm knows of it. Never throws. */
  held(): Promise<void>
  /** Resolves once the disk is left alone. The swarm is told nothing more. */
  stop(): Promise<void>
}

/** Wants are read from the state at the start of each hold. Small payloads arrive as events. */
export function startHolding(parts: HoldingParts): Holding {
  const { log, source, swarm, state } = parts
  let stopped = false
  /**
   * By info hash, of the swarms that children want. Kept between two holds, because loading one may
   * take long.
   */
  let childSpecs = new Map<InfoHash, HoldingSpec>()

  const ownSpecs = ownSpecsOf(parts)
  const setWanted = async (own: readonly HoldingSpec[]) => {
    const wanted = { own, subtree: [...childSpecs.values()] }
    const specs = (await parts.diskLimits?.fitting(wanted)) ?? [...wanted.own, ...wanted.subtree]
    if (!stopped) swarm.setWanted(specs)
    // A swarm that is new is among the announced ones a moment later.
    if (specs.length > 0) parts.announce()
    else parts.announceNews()
  }
  const loadChildSpec = async (asked: WantedSwarm) => {
    try {
      childSpecs.set(asked.infoHash, await specOfWanted(source, asked))
    } catch (error) {
      // The child announces again. A wish that cannot be met is no problem of this node.
      log.debug('swarm of a child not loaded', { infoHash: asked.infoHash, error: failureOf(error, log).message })
    }
  }
  const holdWanted = async () => {
    const own = await ownSpecs()
    const named = state().revision?.named
    // Only what the trusted revision names: a child cannot make its parent fetch anything else.
    const asked = state().childrenWant.filter(
      ({ infoHash, manifest }) => named?.has(manifest) && !own.has(infoHash) && swarm.have(infoHash) !== 'all',
    )
    childSpecs = new Map([...childSpecs].filter(([infoHash]) => asked.some((each) => each.infoHash === infoHash)))
    await setWanted([...own.values()])
    const unknown = asked.filter(({ infoHash }) => !childSpecs.has(infoHash))
    for (let done = 0; done < unknown.length && !stopped; done += limits.loadsAtOnce) {
      await Promise.all(unknown.slice(done, done + limits.loadsAtOnce).map(loadChildSpec))
      await setWanted([...own.values()])
    }
    // No event says that there is room again.
    if (state().problems.room !== undefined) parts.lookWithin(limits.failedRetryMs)
  }
  const tidying = repeatable('tidy', log, async () => parts.diskLimits?.tidy())
  const holding = repeatable('hold', log, async () => {
    try {
      await holdWanted()
    } finally {
      // On a full disk too, where a failed hold needs the room.
      if (!stopped) tidying.ask()
    }
  })
  return {
    hold: holding.ask,
    async held() {
      holding.ask()
      await holding.settled()
    },
    async stop() {
      stopped = true
      await Promise.all([holding.settled(), tidying.settled()])
    },
  }
}

/**
 * The specs of the payloads that this machine needs and that are not here, by info hash. Payloads
 * that travel as objects are fetched on the side.
 */
function ownSpecsOf({ clock, log, source, swarm, state, dispatch, loading }: HoldingParts) {
  const small = createSmallPayloads({
    ...{ clock, log, source },
    onArrived: (sha256) => dispatch({ kind: 'payload-arrived', sha256 }),
    onFailed: ({ name, version }, error) => loading.failed(`${name} ${version}`, error),
  })
  return async (): Promise<Map<InfoHash, HoldingSpec>> => {
    const specs = new Map<InfoHash, HoldingSpec>()
    const payloadPath = payloadPaths({ swarm, source })
    const absent: [Sha256, Manifest][] = []
    for (const [digest, manifest] of ownPayloadsWanted(state())) {
      if ((await payloadPath(manifest)) !== undefined) continue
      if (manifest.payload.via === 'object') small.fetch(manifest)
      else absent.push([digest, manifest])
    }
    // After the loop above: metainfo may take long, and by then the listing of the small payloads
    // would be old.
    for (const [digest, manifest] of absent) {
      try {
        const spec = await specOf(source, digest, manifest)
        if (spec !== null) specs.set(spec.payload.infoHash, spec)
      } catch (error) {
        loading.failed(`${manifest.name} ${manifest.version}`, error)
      }
    }
    return specs
  }
}
