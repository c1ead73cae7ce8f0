// A running node: its parts, started in order and stopped in reverse. The same on the real and on the simulated world.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { limitsInForce } from '../model/node-limits.ts'
import type { Rates } from '../model/rates.ts'
import type { Attack } from '../model/report.ts'
import { backgroundOf } from '../model/revision.ts'
import type { Settings } from '../model/settings.ts'
import type { UploadFacts } from '../model/upload-guard.ts'
import type { LocalMachine, MachineLooked } from '../reconcile/machine.ts'
import type { Inbox } from '../report/inbox.ts'
import type { Repository } from '../repository/repository.ts'
import type { SwarmEvent } from '../swarm/holding.ts'
import type { Swarm, SwarmParts } from '../swarm/swarm.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { NodeIdentity } from '../trust/identity.ts'
import type { Trust } from '../trust/trust-store.ts'
import type { Objects } from '../world/objects.ts'
import type { OpenStore, World } from '../world/world.ts'
import { startAnnouncer } from './announcer.ts'
import { background } from './background.ts'
import { startBandwidth } from './bandwidth.ts'
import { type Check, checkFrom } from './check.ts'
import { openEffects } from './effects.ts'
import type { Event } from './events.ts'
import type { Home } from './home.ts'
import { policyLimitsOf } from './in-force.ts'
import { openKeeping } from './keeping.ts'
import { keptFor } from './kept-for.ts'
import { namedObjects } from './named.ts'
import { openObjectSource } from './object-source.ts'
import type { Releasing } from './releasing.ts'
import { type Reloaded, reloadedFrom } from './reload.ts'
import { loadQuarantine, loadRemembered, loadRestarts, loadSaved } from './remembered.ts'
import { startRenewal } from './renewal.ts'
import { reportFrom } from './report-from.ts'
import { openReports } from './reports.ts'
import type { Rollouts } from './rollouts.ts'
import type { Root } from './root.ts'
import { openRootUplink } from './root-uplink.ts'
import { serveChildren } from './serving.ts'
import { signedNow } from './signed.ts'
import { initialState, type State, transition } from './state.ts'
import { openTakingIn } from './taking-in.ts'
import { openUplink } from './uplink.ts'
import { startWatcher } from './watcher.ts'

export interface NodeParts {
  world: World
  home: Home
  settings: Settings
  /** The settings as they are in the file by now. */
  readSettings: () => Promise<Settings>
  /** Of this program. */
  version: string
  identity: () => NodeIdentity
  /** A renewed certificate: kept on disk and used from now on. */
  setIdentity: (identity: NodeIdentity) => Promise<void>
  store: OpenStore
  objects: Objects
  trust: Trust
  machine: LocalMachine
  uploadFacts?: () => Promise<UploadFacts>
  openSwarm: (options: Pick<SwarmParts, 'onEvent' | 'site' | 'linkRate'>) => Promise<Swarm>
  /** Only a root has them. */
  root: { fleet: Fleet; repository: Repository } | null
}

export interface RunningNode {
  controlPort: number
  state(): State
  swarm: Swarm
  inbox: Inbox
  /** Only a root has them. */
  releasing: Releasing | null
  rollouts: Rollouts | null
  /** Looks at the machine again and starts to remove what differs, also what failed a moment ago. */
  applyNow(): Promise<void>
  /** Compares and changes nothing; null while the desired state is not known. */
  look(): Promise<MachineLooked | null>
  check(): Promise<Check>
  /** Takes on what was changed in the settings, as far as it can be while running. Throws what the settings are refused for. */
  reload(): Promise<Reloaded>
  rates(): Required<Rates>
  /** Why it gives nothing though its rates allow it. */
  heldBack(): string | null
  /** OpenMetrics text. */
  metrics(): Promise<string>
  onChange(listener: () => void): () => void
  stop(): Promise<void>
}

type Stops = (() => Promise<void> | void)[]

/** If a part does not start, those before it are stopped again; the store stays the caller's until the node runs. */
export async function startNode(parts: NodeParts): Promise<RunningNode> {
  const stops: Stops = []
  const stopAll = async () => {
    for (const stop of stops.reverse()) {
      try {
        await stop()
      } catch (error) {
        parts.world.log.error('part did not stop cleanly', { error: messageOf(error) })
      }
    }
  }
  try {
    const running = await startParts(parts, stops)
    return {
      ...running,
      async stop() {
        await stopAll()
        parts.world.http.close()
        await parts.store.close()
      },
    }
  } catch (error) {
    await stopAll()
    throw error
  }
}

async function startParts(parts: NodeParts, stops: Stops): Promise<Omit<RunningNode, 'stop'>> {
  const { world, settings, store, trust, identity } = parts
  const { clock, random, log } = world
  const isRoot = parts.root !== null
  const listeners = new Set<() => void>()
  let root: Root | null = null

  let state = initialState({
    name: settings.name,
    labels: settings.labels,
    site: settings.site ?? null,
    isRoot,
    checkIntervalMs: settings.checkInterval ?? limits.checkIntervalMs,
  })
  // What happens before all parts are there waits until they are.
  const early: Event[] = []
  let isUp = false
  let backgroundFrom = state.revision
  let desiredFrom = state.desired
  const dispatch = (event: Event) => {
    if (!isUp) {
      early.push(event)
      return
    }
    const [next, wanted] = transition(state, event)
    state = next
    for (const effect of wanted) effects.run(effect)
    if (state.revision !== backgroundFrom && state.revision !== null)
      swarm.setBackground(backgroundOf(state.revision.body))
    backgroundFrom = state.revision
    if (state.desired !== desiredFrom) bandwidth.look()
    desiredFrom = state.desired
    for (const listener of listeners) listener()
  }
  const attacked = (attack: Omit<Attack, 'at'>) => {
    log.warn('attack', { attack: attack.kind, from: attack.from, detail: attack.detail })
    dispatch({ kind: 'attack-seen', attack: { ...attack, at: clock.now() } })
  }

  const uplink = parts.root
    ? openRootUplink({ fleet: parts.root.fleet, clock })
    : openUplink({
        http: world.http,
        tls: () => identity().tls,
        parents: settings.parents,
        monotonicMs: () => clock.monotonicMs(),
      })
  const named = namedObjects({
    targets: () => {
      const trusted = trust.current()
      return [trusted?.revision, trusted?.rollouts].flatMap((target) => target?.sha256 ?? [])
    },
    manifests: () => state.revision?.named ?? nothing,
  })
  const source = openObjectSource({
    objects: parts.objects,
    folder: parts.home.objects,
    uplink,
    named,
    onAttack: attacked,
  })

  const onSwarmEvent = (event: SwarmEvent) => {
    if (event.kind === 'changed') dispatch({ kind: 'holding-changed' })
    else if (event.kind === 'completed') dispatch({ kind: 'payload-arrived', sha256: event.sha256 })
    else if (event.kind === 'met' || event.kind === 'parted') onWire(event)
    else if (event.kind === 'failed') dispatch({ kind: 'transfer-failed', name: event.name, because: event.because })
    else attacked(event.attack)
  }
  const onWire = ({ kind, infoHash, node }: Extract<SwarmEvent, { kind: 'met' | 'parted' }>) => {
    // Before there is a tracker nobody is known to be a gateway or not.
    if (!isUp) return
    serving[kind](infoHash, node)
    // Perhaps that was the gateway of this node's site, and another one is to be elected.
    if (kind === 'parted' && swarm.have(infoHash) !== 'all') announcer.soon()
  }
  const swarm = await parts.openSwarm({
    onEvent: onSwarmEvent,
    site: () => state.site,
    linkRate: () => bandwidth.linkRate(),
  })
  stops.push(() => swarm.close())
  let live = settings
  const inForce = () => limitsInForce(policyLimitsOf(state), live)
  const bandwidth = startBandwidth({
    ...{ clock, log, swarm, settings: () => live, limits: inForce, uploadFacts: parts.uploadFacts },
  })
  stops.push(() => bandwidth.stop())

  const reports = await openReports({
    clock,
    random,
    log,
    store,
    isRoot,
    self: settings.name,
    identity,
    build: (counter, at) => reportFrom({ state, counter, at, version: parts.version, transfers: swarm.transfers() }),
    send: (batch) => uplink.reports(batch),
    onAttack: attacked,
    onAccepted: (nodes) => root?.rollouts.heard(nodes),
  })
  stops.push(() => reports.stop())

  const announcer = isRoot
    ? { soon() {}, async stop() {} }
    : startAnnouncer({
        uplink,
        swarm,
        clock,
        random,
        log,
        site: () => settings.site ?? null,
        needsSite: () => state.site === null,
        onSite: (site) => {
          if (settings.site === undefined) dispatch({ kind: 'site-seen', site })
        },
      })
  stops.push(() => announcer.stop())
  const keeping = isRoot
    ? null
    : openKeeping({
        ...{ clock, log, store, disk: world.disk, home: parts.home, swarm, objects: parts.objects, named },
        state: () => state,
        settings: () => ({ ...live, ...inForce() }),
        onProblem: (problem) => dispatch({ kind: 'room-looked', problem }),
      })
  const warmUp = () => {
    if (serving.hasChildren()) swarm.warmUp()
  }
  const takingIn = openTakingIn({ ...parts, clock, log, state: () => state, dispatch })
  const effects = openEffects({
    keeping,
    takingIn,
    clock,
    log,
    store,
    trust,
    uplink,
    source,
    swarm,
    machine: parts.machine,
    state: () => state,
    dispatch,
    tellChildren: () => serving.tellChildren(),
    warmUp,
    reportAgain: () => reports.again(),
    // Without its facts a node has nothing to say that anybody could use.
    report: () => {
      if (state.facts !== null) reports.ask()
    },
    announceSoon: () => announcer.soon(),
    onAttack: attacked,
  })
  stops.push(() => effects.stop())
  // What a node seldom needs, or only a root does, is loaded when it is needed.
  const metrics = async () => {
    const { metricsNow } = await import('./metrics.ts')
    return await metricsNow({
      ...{ clock, disk: world.disk, home: parts.home, version: parts.version, swarm, inbox: reports.inbox, bandwidth },
      settings: inForce,
      state: () => state,
    })
  }
  const serving = await serveChildren({
    world,
    settings,
    tls: identity().tls,
    trust,
    uplink,
    swarm,
    site: () => state.site,
    object: (digest) => source.get(digest),
    takeReports: (batch, from) => reports.take(batch, from),
    onWanted: (wanted) => dispatch({ kind: 'children-wanted', wanted }),
    held: () => effects.hold(),
    // Any node may ask, and of a large subtree they are much work.
    metrics: keptFor({ clock, ms: limits.metricsKeptMs }, metrics),
    onAttack: attacked,
  })
  stops.push(() => serving.stop())

  const renewal = startRenewal({
    clock,
    random,
    log,
    uplink,
    identity,
    onRenewed: async (next) => {
      await parts.setIdentity(next)
      serving.renew(next.tls)
      swarm.renew()
      dispatch({ kind: 'certificate-renewed' })
    },
  })
  stops.push(() => renewal.stop())

  const loaded = {
    ...(await loadSaved(store)),
    quarantine: await loadQuarantine(store, clock, log),
    restarts: await loadRestarts(store, log),
    remembered: await loadRemembered(store, log),
  }
  isUp = true
  dispatch({ kind: 'started', ...loaded })
  for (const event of early) dispatch(event)
  // What was trusted before the restart holds until there is something newer, also where nobody can be asked.
  const trusted = trust.current()
  if (trusted !== undefined) dispatch({ kind: 'refreshed', trusted })
  const collectFacts = async () => {
    dispatch({ kind: 'facts-collected', facts: await world.facts.collect() })
  }
  background('finish earlier applies', log, takingIn.finishEarlier())
  background('collect facts', log, collectFacts())

  if (!isRoot) {
    const watcher = startWatcher({
      uplink,
      clock,
      random,
      log,
      timestampVersion: () => trust.current()?.timestampVersion ?? 0,
      refresh: () => effects.refresh(),
      onAnswered: (parent) => dispatch({ kind: 'parent-answered', parent }),
      onLost: (failure) => dispatch({ kind: 'parent-lost', failure, at: clock.now() }),
    })
    stops.push(() => watcher.stop())
  }
  root = parts.root
    ? await (await import('./root.ts')).openRoot({
        ...parts.root,
        ...{ swarm, source, clock, log, store, objects: parts.objects, disk: world.disk },
        policyFile: parts.home.policy,
        inbox: reports.inbox,
        refresh: () => effects.refresh(),
        warmUp,
        signed: signedNow({ trust, source }),
        trustedRevision: () => trust.current()?.revision?.sha256,
        trustedTimestamp: () => trust.current()?.timestampVersion,
      })
    : null
  stops.push(() => root?.stop())

  return {
    controlPort: serving.controlPort,
    state: () => state,
    swarm,
    inbox: reports.inbox,
    releasing: root?.releasing ?? null,
    rollouts: root?.rollouts ?? null,
    applyNow: async () => {
      dispatch({ kind: 'asked-to-apply' })
      await effects.looked()
    },
    look: () => effects.look(),
    check: async () => checkFrom(state, await effects.look()),
    rates: () => bandwidth.rates(),
    heldBack: () => bandwidth.heldBack(),
    metrics,
    async reload() {
      const reloaded = reloadedFrom(settings, live, await parts.readSettings())
      live = reloaded.settings
      log.info('settings reloaded', {
        changed: reloaded.changed.join(' '),
        needRestart: reloaded.needRestart.join(' '),
      })
      bandwidth.look()
      effects.run({ kind: 'hold' })
      return reloaded
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

const nothing: ReadonlySet<string> = new Set()
