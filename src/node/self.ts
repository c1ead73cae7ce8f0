// The first stage of a node: the node by itself. Its state, its settings, its small objects, its
// swarm and the swarm's rates.

import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { NodeLimits } from '../model/node-limits.ts'
import type { Attack } from '../model/report.ts'
import { msOfDuration } from '../model/units/durations.ts'
import { createObjectSource, type ObjectSource } from '../objects/object-source.ts'
import { createRevisionObjects, type RevisionObjects } from '../objects/revision-objects.ts'
import type { SwarmEvent } from '../swarm/holdings/holding.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Trust } from '../trust/trust-store.ts'
import { createFewLines } from '../work/few-lines.ts'
import { type Bandwidth, startBandwidth } from './bandwidth.ts'
import { fromChildren, type LostObjects } from './children/lost-objects.ts'
import { createLiveSettings, type LiveSettings } from './live-settings.ts'
import type { NodeParts } from './node-parts.ts'
import type { Uplink } from './parent/uplink.ts'
import type { Event } from './state/events.ts'
import { swarmSiteOf } from './state/in-force.ts'
import { createLiveState, type LiveState } from './state/live-state.ts'
import { siblingsProblemOf } from './state/siblings-problem.ts'
import { initialState, type State } from './state/state.ts'

export interface Self {
  live: LiveState
  liveSettings: LiveSettings
  named: RevisionObjects
  source: ObjectSource
  swarm: Swarm
  bandwidth: Bandwidth
  /** The port of the children side, once it is open; 0 before. */
  ports: { control: number }
  /** Who the children are, once their side is open; nobody before. */
  children: { has: (node: NodeName) => boolean }
  /** Logs the attack, unless there are many such lines already, and notes it in the state. */
  onAttack(attack: Omit<Attack, 'at'>): void
  stop(): Promise<void>
}

/** If the swarm does not start, nothing of it runs. Events of the swarm wait until `live.begin`. */
export async function startSelf(parts: NodeParts, uplink: Uplink, lost: LostObjects | null): Promise<Self> {
  const { clock, log } = parts.world
  const { name, labels, site = null, checkInterval } = parts.settings
  const checkIntervalMs = msOfDuration(checkInterval ?? limits.checkIntervalMs)
  const isRoot = parts.root !== null
  const live = createLiveState(initialState({ name, labels, site, isRoot, checkIntervalMs }))
  const { state, dispatch } = live
  const lines = createFewLines(clock)
  const onAttack = (seen: Omit<Attack, 'at'>) => {
    const attack = { ...seen, at: clock.now() }
    const level = lines.mayLog(seen.kind, seen.from) ? 'warn' : 'debug'
    log[level]('attack', { attack: seen.kind, from: seen.from, detail: seen.detail })
    dispatch({ kind: 'attack-seen', attack })
  }
  const liveSettings = createLiveSettings({ ...parts, state, clock, log })
  const named = namedNow(parts.trust, state)
  const source = createObjectSource({
    ...{ clock, log, named, onAttack },
    uplink: lost === null ? uplink : { ...uplink, objects: fromChildren(lost, parts.objects, named.has) },
    objects: parts.objects,
    folder: parts.home.objects,
  })
  const children: Self['children'] = { has: () => false }
  const swarm = await parts.openSwarm({
    onEvent: (event) => {
      if (event.kind === 'attack') return onAttack(event.attack)
      dispatch(eventOf(event))
      // The tracker is to know at once, so that others dial instead.
      if (event.kind === 'siblings') dispatch({ kind: 'holding-changed' })
    },
    site: () => swarmSiteOf(state()),
    isChild: (node) => children.has(node),
    linkRate: () => liveSettings.linkRate(),
    scrubEveryMs: () => scrubEveryMsOf(liveSettings.limits().scrub),
    onDamage: (problem) => dispatch({ kind: 'disk-looked', problem }),
  })
  const turnAway = () => swarm.setRevoked(parts.revocations.all().map(({ keyId }) => keyId))
  parts.revocations.onAdded(turnAway)
  turnAway()
  const { uploadFacts } = parts
  const bandwidth = startBandwidth({ clock, log, swarm, limits: liveSettings.limits, uploadFacts })
  return {
    ...{ live, liveSettings, named, source, swarm, bandwidth, onAttack, ports: { control: 0 }, children },
    async stop() {
      bandwidth.stop()
      await swarm.close()
    },
  }
}

/** The objects that the trusted metadata and the revision in force name. */
function namedNow(trust: Trust, state: () => State): RevisionObjects {
  return createRevisionObjects({
    targets: () => {
      const trusted = trust.current()
      return [trusted?.revision, trusted?.rollouts].flatMap((target) => target?.sha256 ?? [])
    },
    manifests: () => state().revision?.named ?? nothing,
  })
}

function scrubEveryMsOf(scrub: NodeLimits['scrub']): number | null {
  return scrub === 'off' ? null : msOfDuration(scrub ?? limits.scrubEveryMs)
}

const nothing: ReadonlySet<string> = new Set()

function eventOf(event: Exclude<SwarmEvent, { kind: 'attack' }>): Event {
  switch (event.kind) {
    case 'changed':
      return { kind: 'holding-changed' }
    case 'reach':
      return { kind: 'reach-changed' }
    case 'completed':
      return { kind: 'payload-arrived', sha256: event.sha256 }
    case 'met':
      return { kind: 'peer-met', infoHash: event.infoHash, node: event.node }
    case 'parted':
      return { kind: 'peer-parted', infoHash: event.infoHash, node: event.node }
    case 'siblings':
      return { kind: 'siblings-looked', problem: siblingsProblemOf(event.reach) }
    case 'damaged':
      return { kind: 'holding-changed' }
    case 'failed':
      return { kind: 'transfer-failed', name: event.name, because: event.because }
  }
}
