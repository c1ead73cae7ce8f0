// A running node: its parts, started in order and stopped in reverse. The same on the real and on the simulated world.

import type { Announce, Handout } from '../model/announce.ts'
import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import { parseJson } from '../model/parse.ts'
import type { Attack, Envelope, Report, ReportBatch } from '../model/report.ts'
import { parseRevision } from '../model/revision.ts'
import type { Settings } from '../model/settings.ts'
import type { InstalledRecord } from '../reconcile/actual.ts'
import type { LocalMachine } from '../reconcile/machine.ts'
import { recordsAfter } from '../reconcile/records.ts'
import { type Inbox, openInbox } from '../report/inbox.ts'
import { openOutbox } from '../report/outbox.ts'
import type { Repository } from '../repository/repository.ts'
import type { SwarmEvent } from '../swarm/holding.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { createTracker } from '../tracker/tracker.ts'
import { openEnvelope } from '../trust/envelope.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { NodeIdentity } from '../trust/identity.ts'
import type { Trust } from '../trust/trust-store.ts'
import type { Objects } from '../world/objects.ts'
import type { OpenStore, World } from '../world/world.ts'
import { startAnnouncer } from './announcer.ts'
import { background } from './background.ts'
import { type Check, checkFrom } from './check.ts'
import { openDownlink } from './downlink.ts'
import { openEffects } from './effects.ts'
import type { Event } from './events.ts'
import type { Home } from './home.ts'
import { openObjectSource } from './object-source.ts'
import { openReleasing, type Releasing } from './releasing.ts'
import { startRenewal } from './renewal.ts'
import { reportFrom } from './report-from.ts'
import { reportPayloadType, startReporter } from './reporter.ts'
import { openRootUplink } from './root-uplink.ts'
import { initialState, type State, transition } from './state.ts'
import { openUplink } from './uplink.ts'
import { startWatcher } from './watcher.ts'

export interface NodeParts {
  world: World
  home: Home
  settings: Settings
  /** Of this program. */
  version: string
  identity: () => NodeIdentity
  /** A renewed certificate: kept on disk and used from now on. */
  setIdentity: (identity: NodeIdentity) => Promise<void>
  store: OpenStore
  objects: Objects
  trust: Trust
  machine: LocalMachine
  openSwarm: (options: { onEvent: (event: SwarmEvent) => void; site: () => string | null }) => Promise<Swarm>
  /** Only a root has them. */
  root: { fleet: Fleet; repository: Repository } | null
}

export interface RunningNode {
  controlPort: number
  state(): State
  swarm: Swarm
  inbox: Inbox
  releasing: Releasing | null
  /** Looks at the machine again and starts to remove what differs, also what failed a moment ago. */
  applyNow(): Promise<void>
  /** Compares and changes nothing. */
  check(): Promise<Check>
  onChange(listener: () => void): () => void
  stop(): Promise<void>
}

export async function startNode(parts: NodeParts): Promise<RunningNode> {
  const { world, settings, store, trust, identity } = parts
  const { clock, random, log } = world
  const isRoot = parts.root !== null
  const stops: (() => Promise<void> | void)[] = []
  const listeners = new Set<() => void>()

  let state = initialState({
    name: settings.name,
    labels: settings.labels,
    site: settings.site ?? null,
    isRoot,
    checkIntervalMs: settings.checkInterval ?? limits.checkIntervalMs,
  })
  const dispatch = (event: Event) => {
    const [next, wanted] = transition(state, event)
    state = next
    for (const effect of wanted) effects.run(effect)
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
  const source = openObjectSource({ objects: parts.objects, folder: parts.home.objects, uplink, onAttack: attacked })

  const onSwarmEvent = (event: SwarmEvent) => {
    if (event.kind === 'changed') announcer.soon()
    else if (event.kind === 'completed') dispatch({ kind: 'payload-arrived', sha256: event.sha256 })
    else if (event.kind === 'failed') dispatch({ kind: 'transfer-failed', name: event.name, because: event.because })
    else attacked(event.attack)
  }
  const swarm = await parts.openSwarm({ onEvent: onSwarmEvent, site: () => state.site })
  stops.push(() => swarm.close())

  const haveOf = (infoHash: InfoHash) => swarm.holdings().find((held) => held.infoHash === infoHash)?.have
  const tracker = createTracker({
    clock,
    random,
    self: {
      node: settings.name,
      get swarmPort() {
        return swarm.port
      },
      get site() {
        return state.site
      },
      holds: (infoHash) => haveOf(infoHash),
    },
    onWantedChanged: () => dispatch({ kind: 'children-wanted', wanted: tracker.wanted() }),
  })
  stops.push(() => tracker.stop())

  const verify = (envelope: Envelope, certificates: ReportBatch['certificates']) =>
    openEnvelope(envelope, {
      payloadType: reportPayloadType,
      certificates,
      ca: identity().tls.ca,
      now: clock.now(),
    })
  const inbox = await openInbox({ store: store.sub('inbox'), verify, clock, maxFutureMs: limits.reportFutureMs })
  const outbox = await openOutbox({ store: store.sub('outbox') })
  const takeReports = async (batch: ReportBatch, from: NodeName) => {
    const { accepted, passUp, attacks, refused } = await inbox.accept(batch, from)
    for (const attack of attacks) attacked(attack)
    for (const { node, reason } of refused) log.warn('report refused', { node, from, reason })
    if (!isRoot && passUp.length > 0) {
      await outbox.put(passUp)
      reporter.flush()
    }
    return { accepted: accepted.length }
  }
  const reporter = startReporter({
    clock,
    random,
    log,
    store,
    identity,
    outbox,
    build: (counter) =>
      reportFrom({ state, counter, at: clock.now(), version: parts.version, transfers: swarm.transfers() }),
    take: async (batch) => void (await takeReports(batch, settings.name)),
    send: (batch) => uplink.reports(batch),
  })
  stops.push(() => reporter.stop())

  const announceFrom = async (node: NodeName, address: string, announce: Announce): Promise<Handout> => {
    const handout = tracker.announce({ node, address, announce })
    const isNew = announce.swarms.some(({ infoHash, have }) => have !== 'all' && haveOf(infoHash) === undefined)
    if (!isNew) return handout
    // A child's first announce waits until its parent takes part too, so that it can dial the parent at once.
    await Promise.race([effects.hold(), new Promise<void>((resolve) => clock.after(limits.newSwarmWaitMs, resolve))])
    return tracker.announce({ node, address, announce })
  }
  const downlink = openDownlink({
    clock,
    log,
    tufFile: (name) => trust.file(name),
    timestampVersion: () => trust.current()?.timestampVersion ?? 0,
    object: (digest) => source.get(digest),
    announce: announceFrom,
    reports: (node, batch) => takeReports(batch, node),
    enrol: (body) => uplink.enrol(body),
  })
  const announcer = isRoot
    ? { soon() {}, async stop() {} }
    : startAnnouncer({
        uplink,
        swarm,
        clock,
        random,
        log,
        site: () => settings.site ?? null,
        onSite: (site) => {
          if (settings.site === undefined) dispatch({ kind: 'site-seen', site })
        },
      })
  stops.push(() => announcer.stop())
  const effects = openEffects({
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
    tellChildren: () => downlink.tellChildren(),
    reportAgain: async () => {
      for (const { node } of inbox.knowledge()) {
        const signed = await inbox.signed(node)
        if (signed !== undefined) await outbox.put([signed])
      }
      reporter.flush()
    },
    // Without its facts a node has nothing to say that anybody could use.
    report: () => {
      if (state.facts !== null) reporter.ask()
    },
    announceSoon: () => announcer.soon(),
    onAttack: attacked,
  })
  stops.push(() => effects.stop())

  const server = await world.http.serve({
    address: settings.listen,
    port: settings.controlPort,
    tls: identity().tls,
    bodyMaxBytes: (path) => downlink.bodyMaxBytes(path),
    handler: (request) => downlink.handle(request),
    onStranger: (address, reason) => log.warn('stranger refused', { from: address, reason }),
  })
  stops.push(async () => {
    downlink.tellChildren()
    await server.close()
  })

  const renewal = startRenewal({
    clock,
    random,
    log,
    uplink,
    identity,
    onRenewed: async (next) => {
      await parts.setIdentity(next)
      server.renew(next.tls)
      swarm.renew()
      dispatch({ kind: 'certificate-renewed' })
    },
  })
  stops.push(() => renewal.stop())

  const loaded = await loadSaved(store)
  dispatch({ kind: 'started', ...loaded })
  // What was trusted before the restart holds until there is something newer, also where nobody can be asked.
  const trusted = trust.current()
  if (trusted !== undefined) dispatch({ kind: 'refreshed', trusted })
  const finishEarlier = async () => {
    for (const { outcomes, plan } of await parts.machine.finishEarlier()) {
      const records = recordsAfter(state.records, plan, outcomes)
      await store.put('records', records)
      dispatch({ kind: 'applied', revision: plan.revision, outcomes, records, at: clock.now() })
    }
    const facts = await world.facts.collect()
    dispatch({ kind: 'facts-collected', facts, site: settings.site ?? null })
  }
  background('start', log, finishEarlier())

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
  const releasing = parts.root
    ? await openReleasing({
        ...parts.root,
        swarm,
        source,
        objects: parts.objects,
        disk: world.disk,
        clock,
        log,
        policyFile: parts.home.policy,
        reports: () => allReports(inbox),
        refresh: () => effects.refresh(),
        lastReleased: async () => {
          const digest = trust.current()?.revision?.sha256
          if (digest === undefined) return 0
          return parseRevision(parseJson(await source.need(digest, 'revision'), 'revision'), 'revision').number
        },
      })
    : null
  if (releasing) stops.push(() => releasing.stop())

  return {
    controlPort: server.port,
    state: () => state,
    swarm,
    inbox,
    releasing,
    applyNow: async () => {
      dispatch({ kind: 'asked-to-apply' })
      await effects.looked()
    },
    check: async () => checkFrom(state, await effects.look()),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async stop() {
      for (const stop of stops.reverse()) {
        try {
          await stop()
        } catch (error) {
          log.error('part did not stop cleanly', { error: messageOf(error) })
        }
      }
      world.http.close()
      await store.close()
    },
  }
}

async function loadSaved(store: OpenStore): Promise<{ records: InstalledRecord[]; converged: number | null }> {
  const records = ((await store.get('records')) ?? []) as InstalledRecord[]
  const converged = ((await store.get('converged')) ?? null) as number | null
  return { records, converged }
}

async function* allReports(inbox: Inbox): AsyncIterable<Report> {
  for (const { node } of inbox.knowledge()) {
    const report = await inbox.report(node)
    if (report !== undefined) yield report
  }
}
