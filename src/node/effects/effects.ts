// Carries out the effects that `transition` asks for, and reports back as events.

import { Failure, messageOf, unreachable } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { HoldingSpec, Manifest } from '../../model/manifest.ts'
import type { InfoHash, Sha256 } from '../../model/names.ts'
import type { Attack } from '../../model/report.ts'
import { loadManifests, specOf } from '../../objects/manifests.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import { loadRevision as revisionAt, loadRollouts as rolloutsAt } from '../../objects/signed-objects.ts'
import { createSmallPayloads } from '../../objects/small-payloads.ts'
import type { LocalMachine, MachineLooked } from '../../reconcile/machine.ts'
import { nextLookAt } from '../../reconcile/plan.ts'
import { permittedFor } from '../../reconcile/waves.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { attackOf, type Trust } from '../../trust/trust-store.ts'
import { askedMs } from '../../work/back-off.ts'
import { background, repeatable } from '../../work/background.ts'
import type { Clock, Log, Store, Timer } from '../../world/world.ts'
import type { TakingIn } from '../disk/applied-outcomes.ts'
import type { Keeping } from '../disk/keeping.ts'
import { ownPayloadsWanted, specOfWanted } from '../disk/payloads.ts'
import type { Uplink } from '../parent/uplink.ts'
import type { Effect, Event, WantedSwarm } from '../state/events.ts'
import { rolloutsInForce } from '../state/in-force.ts'
import { saveQuarantine, saveRemembered } from '../state/remembered.ts'
import type { State } from '../state/state.ts'

export interface EffectParts {
  clock: Clock
  log: Log
  store: Store
  trust: Trust
  uplink: Uplink
  source: ObjectSource
  swarm: Swarm
  machine: LocalMachine
  takingIn: TakingIn
  /** A root keeps everything. */
  keeping: Keeping | null
  state: () => State
  dispatch: (event: Event) => void
  tellChildren: () => void
  warmUp: () => void
  report: () => void
  reportAgain: () => Promise<void>
  announceSoon: () => void
  onAttack: (attack: Omit<Attack, 'at'>) => void
}

export interface Effects {
  run(effect: Effect): void
  /** One refresh from the parent, for who wants to wait for it. Never throws. */
  refresh(): Promise<void>
  /** Holds what the children want, now; for an announce that waits for its first handout. */
  hold(): Promise<void>
  /** Resolves when no look that changes something is under way. */
  looked(): Promise<void>
  /** Compares without changing anything; null while the desired state is not known. */
  look(): Promise<MachineLooked | null>
  stop(): Promise<void>
}

export function openEffects(parts: EffectParts): Effects {
  const { dispatch, log, state } = parts
  let lookTimer: Timer | undefined
  let lookAt = Number.POSITIVE_INFINITY
  let stopped = false

  const failureOf = (error: unknown): Failure => {
    if (error instanceof Failure) return error
    log.error('unforeseen error', { error: messageOf(error), stack: error instanceof Error ? (error.stack ?? '') : '' })
    return new Failure('stopped', messageOf(error), { retry: 'later', cause: error })
  }
  const refreshing = repeatable('refresh', log, async () => {
    try {
      dispatch({ kind: 'refreshed', trusted: await parts.trust.refresh(parts.uplink.tufFile) })
    } catch (error) {
      const failure = failureOf(error)
      const attack = attackOf(failure)
      const from = parts.uplink.parent()?.node ?? 'parent'
      if (attack !== undefined) {
        parts.onAttack({ kind: attack, from, detail: failure.message })
        parts.uplink.turnAway()
        runLookLater(limits.turnedAwayLookMs)
      }
      dispatch({ kind: 'refresh-failed', failure })
    }
  })
  const loadRevision = async (digest: Sha256) => {
    try {
      dispatch({ kind: 'revision-loaded', digest, revision: await revisionAt(parts.source, digest) })
    } catch (error) {
      loadFailed('revision', error)
    }
  }
  const loadRollouts = async (digest: Sha256) => {
    try {
      dispatch({ kind: 'rollouts-loaded', digest, rollouts: await rolloutsAt(parts.source, digest) })
    } catch (error) {
      loadFailed('rollouts', error)
    }
  }
  const loadFailed = (what: string, error: unknown) => {
    const failure = failureOf(error)
    dispatch({ kind: 'load-failed', what, failure })
    if (failure.retry !== 'later') return
    // All of it would come again, and not fit again.
    const ms = failure.code === 'no-space' ? limits.failedRetryMs : limits.loadRetryMs
    runLookLater(Math.max(ms, askedMs(failure, 0)))
  }
  const loadingManifests = repeatable('load manifests', log, async () => {
    const { revision, desired, earlier } = state()
    if (revision === null) return
    const all = [desired, ...earlier].flat()
    try {
      const digests = new Set(all.flatMap((wanted) => (wanted.state === 'present' ? [wanted.manifest] : [])))
      const manifests = await loadManifests(parts.source, digests)
      dispatch({ kind: 'manifests-loaded', revision: revision.body.number, manifests })
    } catch (error) {
      loadFailed('manifests', error)
    }
  })
  /** Where payloads lie that are here; those that came as objects as of the first that is asked for. */
  const payloadPaths = () => {
    let paths: ReturnType<ObjectSource['paths']> | undefined
    return async ({ payload }: Manifest): Promise<string | undefined> => {
      if (payload.via === 'swarm') return parts.swarm.payloadPath(payload.sha256)
      paths ??= parts.source.paths()
      return (await paths)(payload.sha256)
    }
  }

  const small = createSmallPayloads({
    ...{ clock: parts.clock, log, source: parts.source },
    onArrived: (sha256) => dispatch({ kind: 'payload-arrived', sha256 }),
    onFailed: ({ name, version }, error) => loadFailed(`${name} ${version}`, error),
  })
  /** Of what children want; kept from one hold to the next, since it comes from above and may take its time. */
  let childSpecs = new Map<InfoHash, HoldingSpec>()
  const holding = repeatable('hold', log, async () => {
    try {
      await holdWanted()
    } finally {
      // Also when the disk is full.
      if (!stopped) tidying.ask()
    }
  })
  const holdWanted = async () => {
    const own = await ownSpecs()
    const named = state().revision?.named
    // Only what the trusted revision names: a child cannot make its parent fetch anything else.
    const asked = state().childrenWant.filter(
      ({ infoHash, manifest }) => named?.has(manifest) && !own.has(infoHash) && parts.swarm.have(infoHash) !== 'all',
    )
    childSpecs = new Map([...childSpecs].filter(([infoHash]) => asked.some((each) => each.infoHash === infoHash)))
    const want = async () => {
      const wanted = { own: [...own.values()], subtree: [...childSpecs.values()] }
      const specs = (await parts.keeping?.fitting(wanted)) ?? [...wanted.own, ...wanted.subtree]
      if (!stopped) parts.swarm.setWanted(specs)
      parts.announceSoon()
    }
    await want()
    const unknown = asked.filter(({ infoHash }) => !childSpecs.has(infoHash))
    for (let done = 0; done < unknown.length && !stopped; done += limits.loadsAtOnce) {
      await Promise.all(unknown.slice(done, done + limits.loadsAtOnce).map(loadChildSpec))
      await want()
    }
    // Room comes back without a word.
    if (state().problems.room !== undefined) runLookLater(limits.failedRetryMs)
  }
  const tidying = repeatable('tidy', log, async () => parts.keeping?.tidy())
  const ownSpecs = async (): Promise<Map<InfoHash, HoldingSpec>> => {
    const specs = new Map<InfoHash, HoldingSpec>()
    const payloadPath = payloadPaths()
    const absent: [Sha256, Manifest][] = []
    for (const [digest, manifest] of ownPayloadsWanted(state())) {
      if ((await payloadPath(manifest)) !== undefined) continue
      if (manifest.payload.via === 'object') small.fetch(manifest)
      else absent.push([digest, manifest])
    }
    // These may take their time, and what is said of small ones is of now.
    for (const [digest, manifest] of absent) {
      try {
        const spec = await specOf(parts.source, digest, manifest)
        if (spec !== null) specs.set(spec.payload.infoHash, spec)
      } catch (error) {
        loadFailed(`${manifest.name} ${manifest.version}`, error)
      }
    }
    return specs
  }
  // The child asks again; what it wants in vain is not this node's problem.
  const loadChildSpec = async (asked: WantedSwarm) => {
    try {
      childSpecs.set(asked.infoHash, await specOfWanted(parts.source, asked))
    } catch (error) {
      log.debug('swarm of a child not loaded', { infoHash: asked.infoHash, error: failureOf(error).message })
    }
  }
  const savingQuarantine = repeatable('save quarantine', log, () => saveQuarantine(parts.store, state()))
  const remembering = repeatable('remember', log, () => saveRemembered(parts.store, state()))

  const look = async (): Promise<{ number: number; rollouts: Sha256 | null; looked: MachineLooked } | null> => {
    const { name: node, revision, manifests, records, converged, earlier } = state()
    const rollouts = rolloutsInForce(state())
    if (revision === null || manifests === null) return null
    const { number } = revision.body
    const { windows = {}, rollouts: rolloutTerms = {} } = revision.body
    const timeZone = () => parts.clock.timeZone()
    const timing = { windows, now: parts.clock.now(), timeZone }
    const { desired, later } = permittedFor({
      ...{ node, records, earlier, rollouts: rollouts?.states ?? null, rolloutTerms, timeZone },
      desired: state().desired,
    })
    const about = {
      ...{ desired, later, manifests, records, converged, payloadPath: payloadPaths(), timing },
      revision: { number, digest: revision.digest },
    }
    return { number, rollouts: rollouts?.digest ?? null, looked: await parts.machine.look(about) }
  }
  const inspecting = repeatable('inspect', log, async () => {
    // Halfway through an apply a machine differs from everything; another look comes when it has ended.
    if (state().applying) return
    try {
      await takeRest()
      const { records } = state()
      const result = await look()
      if (result === null) return
      const { number, rollouts, looked } = result
      if (looked.records.length !== records.length) await parts.store.put('records', looked.records)
      dispatch({ kind: 'inspected', revision: number, rollouts, ...looked })
      const next = nextLookAt(looked.plan)
      if (next !== undefined) runLookLater(Math.max(0, next - parts.clock.now()))
    } catch (error) {
      dispatch({ kind: 'inspect-failed', failure: failureOf(error) })
    }
  })
  const takeRest = async () => {
    try {
      await parts.takingIn.takeRest()
    } catch (error) {
      runLookLater(limits.failedRetryMs)
      throw error
    }
  }
  const apply = async (effect: Extract<Effect, { kind: 'apply' }>) => {
    try {
      await parts.takingIn.take([await parts.machine.apply(effect.plan)])
    } catch (error) {
      const monotonicMs = parts.clock.monotonicMs()
      if (!stopped) dispatch({ kind: 'apply-failed', failure: failureOf(error), monotonicMs })
    }
  }
  const runLookLater = (ms: number) => {
    const at = parts.clock.monotonicMs() + ms
    if (stopped || at >= lookAt) return
    lookTimer?.cancel()
    lookAt = at
    lookTimer = parts.clock.after(ms, () => {
      lookAt = Number.POSITIVE_INFINITY
      dispatch({ kind: 'look-due', monotonicMs: parts.clock.monotonicMs() })
    })
  }

  return {
    run(effect) {
      if (stopped) return
      switch (effect.kind) {
        case 'refresh':
          return refreshing.ask()
        case 'load-revision':
          return background('load revision', log, loadRevision(effect.digest))
        case 'load-rollouts':
          return background('load rollouts', log, loadRollouts(effect.digest))
        case 'load-manifests':
          return loadingManifests.ask()
        case 'hold':
          return holding.ask()
        case 'inspect':
          return inspecting.ask()
        case 'apply':
          return background('apply', log, apply(effect))
        case 'look-later':
          return runLookLater(effect.ms)
        case 'tell-children':
          return parts.tellChildren()
        case 'warm-up':
          return parts.warmUp()
        case 'save-converged':
          return background('save converged', log, parts.store.put('converged', effect.revision))
        case 'remember':
          return remembering.ask()
        case 'save-quarantine':
          return savingQuarantine.ask()
        case 'announce':
          return parts.announceSoon()
        case 'report':
          return parts.report()
        case 'report-again':
          return background('report again', log, parts.reportAgain())
        default:
          return unreachable(effect)
      }
    },
    async refresh() {
      refreshing.ask()
      await refreshing.settled()
    },
    async hold() {
      holding.ask()
      await holding.settled()
    },
    looked: () => inspecting.settled(),
    async look() {
      return (await look())?.looked ?? null
    },
    async stop() {
      stopped = true
      lookTimer?.cancel()
      const repeated = [refreshing, loadingManifests, holding, tidying, inspecting, remembering, savingQuarantine]
      await Promise.all(repeated.map((work) => work.settled()))
    },
  }
}
