// A running node: its parts, started in order and stopped in reverse. The same on the real and on the simulated world.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Attack } from '../model/report.ts'
import { backgroundOf } from '../model/revision.ts'
import type { Settings } from '../model/settings.ts'
import type { Rates } from '../model/units/rates.ts'
import type { UploadFacts } from '../model/upload-guard.ts'
import { createObjectSource } from '../objects/object-source.ts'
import { createRevisionObjects } from '../objects/revision-objects.ts'
import type { LocalMachine, MachineLooked } from '../reconcile/machine.ts'
import type { Releasing } from '../release/releasing.ts'
import type { Rollouts } from '../release/rollouts/rollouts.ts'
import type { Root } from '../release/root.ts'
import type { Inbox } from '../report/inbox.ts'
import type { Repository } from '../repository/repository.ts'
import type { SwarmEvent } from '../swarm/holdings/holding.ts'
import type { Swarm, SwarmParts } from '../swarm/swarm.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { NodeIdentity } from '../trust/identity.ts'
import type { Trust } from '../trust/trust-store.ts'
import { background } from '../work/background.ts'
import { keptFor } from '../work/kept-for.ts'
import type { Objects } from '../world/objects.ts'
import type { OpenStore, World } from '../world/world.ts'
import { startBandwidth } from './bandwidth.ts'
import { startServing } from './children/serving.ts'
import { openTakingIn } from './disk/applied-outcomes.ts'
import { openKeeping } from './disk/keeping.ts'
import { openEffects } from './effects/effects.ts'
import { keepSettings } from './live-settings.ts'
import { startAnnouncer } from './parent/announcer.ts'
import { startRenewal } from './parent/renewal.ts'
import { startReports } from './parent/reports.ts'
import { createRootUplink } from './parent/root-uplink.ts'
import { createUplink } from './parent/uplink.ts'
import { startWatcher } from './parent/watcher.ts'
import type { Reloaded } from './reload.ts'
import type { Home } from './setup/home.ts'
import { type Check, checkFrom } from './state/check.ts'
import { keepState } from './state/live-state.ts'
import { loadQuarantine, loadRemembered, loadRestarts, loadSaved } from './state/remembered.ts'
import { reportFrom } from './state/report-from.ts'
import { initialState, type State } from './state/state.ts'

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
  let root: Root | null = null

  const initial = initialState({
    name: settings.name,
    labels: settings.labels,
    site: settings.site ?? null,
    isRoot,
    checkIntervalMs: settings.checkInterval ?? limits.checkIntervalMs,
  })
  const live = keepState(initial, (effect) => effects.run(effect))
  const { state, dispatch } = live
  const attacked = (attack: Omit<Attack, 'at'>) => {
    log.warn('attack', { attack: attack.kind, from: attack.from, detail: attack.detail })
    dispatch({ kind: 'attack-seen', attack: { ...attack, at: clock.now() } })
  }

  const uplink = parts.root
    ? createRootUplink({ fleet: parts.root.fleet })
    : createUplink({
        http: world.http,
        tls: () => identity().tls,
        parents: settings.parents,
        monotonicMs: () => clock.monotonicMs(),
      })
  const named = createRevisionObjects({
    targets: () => {
      const trusted = trust.current()
      return [trusted?.revision, trusted?.rollouts].flatMap((target) => target?.sha256 ?? [])
    },
    manifests: () => state().revision?.named ?? nothing,
  })
  const source = createObjectSource({
    ...{ clock, log },
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
    if (!live.hasBegun()) return
    serving[kind](infoHash, node)
    // Perhaps that was the gateway of this node's site, and another one is to be elected.
    if (kind === 'parted' && swarm.have(infoHash) !== 'all') announcer.soon()
  }
  const swarm = await parts.openSwarm({
    onEvent: onSwarmEvent,
    site: () => state().site,
    linkRate: () => bandwidth.linkRate(),
  })
  stops.push(() => swarm.close())
  const { own, limits: inForce, reload } = keepSettings({ ...parts, state, log })
  const bandwidth = startBandwidth({
    ...{ clock, log, swarm, settings: own, limits: inForce, uploadFacts: parts.uploadFacts },
  })
  stops.push(() => bandwidth.stop())
  live.watch('revision', (revision) => revision !== null && swarm.setBackground(backgroundOf(revision.body)))
  live.watch('desired', () => bandwidth.look())

  const reports = await startReports({
    clock,
    random,
    log,
    store,
    isRoot,
    self: settings.name,
    identity,
    build: (counter, at) =>
      reportFrom({ state: state(), counter, at, version: parts.version, transfers: swarm.transfers() }),
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
        needsSite: () => state().site === null,
        onSite: (site) => {
          if (settings.site === undefined) dispatch({ kind: 'site-seen', site })
        },
      })
  stops.push(() => announcer.stop())
  const keeping = isRoot
    ? null
    : openKeeping({
        ...{ clock, log, store, disk: world.disk, home: parts.home, swarm, objects: parts.objects, named },
        state,
        settings: () => ({ ...own(), ...inForce() }),
        onProblem: (problem) => dispatch({ kind: 'room-looked', problem }),
      })
  const warmUp = () => {
    if (serving.hasChildren()) swarm.warmUp()
  }
  const takingIn = openTakingIn({ ...parts, clock, log, state, dispatch })
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
    state,
    dispatch,
    tellChildren: () => serving.tellChildren(),
    warmUp,
    reportAgain: () => reports.again(),
    // Without its facts a node has nothing to say that anybody could use.
    report: () => {
      if (state().facts !== null) reports.ask()
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
      state,
    })
  }
  const serving = await startServing({
    world,
    settings,
    tls: identity().tls,
    trust,
    uplink,
    swarm,
    site: () => state().site,
    source,
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
  live.begin({ kind: 'started', ...loaded })
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
    ? await (await import('../release/root.ts')).startRoot({
        ...parts.root,
        ...{ trust, swarm, source, clock, log, store, objects: parts.objects, disk: world.disk },
        policyFile: parts.home.policy,
        inbox: reports.inbox,
        refresh: () => effects.refresh(),
        warmUp,
      })
    : null
  stops.push(() => root?.stop())

  return {
    controlPort: serving.controlPort,
    state,
    swarm,
    inbox: reports.inbox,
    releasing: root?.releasing ?? null,
    rollouts: root?.rollouts ?? null,
    applyNow: async () => {
      dispatch({ kind: 'asked-to-apply' })
      await effects.looked()
    },
    look: () => effects.look(),
    check: async () => checkFrom(state(), await effects.look()),
    rates: () => bandwidth.rates(),
    heldBack: () => bandwidth.heldBack(),
    metrics,
    async reload() {
      const reloaded = await reload()
      bandwidth.look()
      effects.run({ kind: 'hold' })
      return reloaded
    },
    onChange: live.onChange,
  }
}

const nothing: ReadonlySet<string> = new Set()
