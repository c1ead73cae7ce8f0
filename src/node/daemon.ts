// A running node: its stages, started in an order in which each needs only those before it, and
// stopped in reverse. The same on the real and on the simulated world.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Instant, NodeName } from '../model/names.ts'
import type { Attack } from '../model/report.ts'
import type { Rates } from '../model/units/rates.ts'
import type { LookResult } from '../reconcile/machine-look.ts'
import type { Releasing } from '../release/releasing.ts'
import type { Rollouts } from '../release/rollouts/rollouts.ts'
import type { Root } from '../release/root.ts'
import type { Inbox } from '../report/inbox.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { background } from '../work/background.ts'
import { createLostObjects, type LostObjects } from './children/lost-objects.ts'
import { type ChildrenSide, startChildrenSide } from './children-side.ts'
import { type AppliedOutcomes, createAppliedOutcomes } from './disk/applied-outcomes.ts'
import { watchDatabase } from './disk/database-incident.ts'
import { createDiskLimits } from './disk/disk-limits.ts'
import { effectRunnerFor } from './effects/effects.ts'
import { type Jobs, startJobs } from './effects/jobs.ts'
import type { NodeParts } from './node-parts.ts'
import { openKnownParents } from './parent/known-parents.ts'
import { createRootUplink } from './parent/root-uplink.ts'
import { createUplink, type Uplink } from './parent/uplink.ts'
import { type ParentSide, startNews, startParentSide } from './parent-side.ts'
import type { Reloaded } from './reload.ts'
import { type Self, startSelf } from './self.ts'
import type { WrongParent } from './setup/parent-names.ts'
import { type Check, checkFrom } from './state/check.ts'
import { loadQuarantine, loadRemembered, loadRestarts, loadSaved } from './state/remembered.ts'
import type { State } from './state/state.ts'

export interface RunningNode {
  controlPort: number
  state(): State
  swarm: Swarm
  inbox: Inbox
  /** Null at every node but a root. */
  releasing: Releasing | null
  /** Null at every node but a root. */
  rollouts: Rollouts | null
  /**
   * Looks at the machine again and starts to remove the differences, those that failed a moment ago
   * among them.
   */
  applyNow(): Promise<void>
  /**
   * Compares the machine with the desired state and changes nothing. Null while the desired state
   * is not known.
   */
  look(): Promise<LookResult | null>
  /** A look, described for a person. */
  check(): Promise<Check>
  /**
   * Reads the settings and takes on those that can change while running. Throws if they are
   * refused.
   */
  reload(): Promise<Reloaded>
  rates(): Required<Rates>
  /** Why this node uploads nothing although its rates allow it; null if it may upload. */
  heldBack(): string | null
  /** A person has looked at the attacks that a node has seen up to then, by its clock. */
  acknowledge(node: NodeName, upTo: Instant): void
  /** OpenMetrics text. */
  metrics(): Promise<string>
  /** Calls `listener` after each event. The returned function removes the listener. */
  onChange(listener: () => void): () => void
  stop(): Promise<void>
}

/** What has been started, in this order. */
type Started = { stop(): Promise<void> }[]

/** All stages, and the two parts that several of them need and that nobody has to stop. */
interface Stages {
  uplink: Uplink
  appliedOutcomes: AppliedOutcomes
  self: Self
  parentSide: ParentSide
  jobs: Jobs
  childrenSide: ChildrenSide
  root: Root | null
}

/**
 * If a stage does not start, those before it are stopped. The store stays the caller's until the
 * node runs.
 */
export async function startNode(parts: NodeParts): Promise<RunningNode> {
  const started: Started = []
  const stopAll = async () => {
    for (const stage of started.reverse()) {
      try {
        await stage.stop()
      } catch (error) {
        parts.world.log.error('part did not stop cleanly', { error: messageOf(error) })
      }
    }
  }
  try {
    const running = await startStages(parts, started)
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

async function startStages(parts: NodeParts, started: Started): Promise<Omit<RunningNode, 'stop'>> {
  const next = <T extends Started[number]>(stage: T): T => {
    started.push(stage)
    return stage
  }
  const uplink = await uplinkOf(parts, (failure) => self.onAttack(attackOfWrongParent(failure)))
  const lost = parts.root === null ? null : createLostObjects({ clock: parts.world.clock, objects: parts.objects })
  const self = next(await startSelf(parts, uplink, lost))
  const parentSide = next(await startParentSide(parts, uplink, self))
  const { machine, store, world } = parts
  const { clock, log } = world
  const { state, dispatch } = self.live
  const appliedOutcomes = createAppliedOutcomes({ machine, store, clock, log, state, dispatch })
  const jobs = next(startOwnJobs(parts, { uplink, self, parentSide, appliedOutcomes }))
  const childrenSide = next(await startChildrenSide(parts, { uplink, self, parentSide, jobs, lost }))
  let root: Root | null = null
  await begin(parts, { self, parentSide, jobs, childrenSide, appliedOutcomes }, () => root?.rollouts ?? null)
  // After the beginning: seeding thousands of packages takes a while, and children ask meanwhile.
  if (parts.root && lost) {
    root = next(await startRoot(parts, parts.root, { self, parentSide, jobs, childrenSide, lost }))
    // Before the root stops: nothing there is to wait for children any longer.
    next({ stop: async () => lost.stop() })
    lost.begin()
    background('seed what was lost', parts.world.log, root.releasing.seedAgain())
  }
  next(startNews(parts, { uplink, self, refreshed: jobs.loading.refreshed }))
  return runningNode({ self, parentSide, jobs, childrenSide, root })
}

/** A root answers the calls of its own uplink. */
async function uplinkOf(
  { world, home, root, settings, identity, revocations }: NodeParts,
  refused: (failure: WrongParent) => void,
): Promise<Uplink> {
  const { clock, http, disk, log } = world
  if (root !== null) return createRootUplink({ fleet: root.fleet, self: settings.name })
  const { parents } = settings
  return createUplink({
    http,
    tls: () => identity().tls,
    parents,
    names: await openKnownParents({ disk, log, file: home.parents, parents, refused }),
    revokedDigest: revocations.digest,
    isRevoked: revocations.has,
    monotonicMs: () => clock.monotonicMs(),
    now: () => clock.now(),
    after: clock.after,
  })
}

function attackOfWrongParent({ answered, message, hint }: WrongParent): Omit<Attack, 'at'> {
  return { kind: 'wrong-parent', from: answered, detail: `${message}: ${hint}`.slice(0, limits.textMaxChars * 2) }
}

/** The jobs of this node. They stop together with the effects that ask for them. */
function startOwnJobs(
  parts: NodeParts,
  { uplink, appliedOutcomes, self, parentSide }: Pick<Stages, 'uplink' | 'appliedOutcomes' | 'self' | 'parentSide'>,
): Jobs {
  const { clock, log, disk } = parts.world
  const { live, liveSettings, swarm, source, named, onAttack } = self
  const { state, dispatch } = live
  const { store, objects, home, machine, trust } = parts
  // A root keeps everything.
  const diskLimits = parts.root
    ? null
    : createDiskLimits({
        ...{ log, store, disk, home, swarm, objects, named, state },
        settings: () => ({ ...liveSettings.own(), ...liveSettings.limits() }),
        onProblem: (problem) => dispatch({ kind: 'room-looked', problem }),
      })
  const jobs = startJobs({
    ...{ clock, log, store, trust, uplink, source, swarm, objects, machine, appliedOutcomes, diskLimits },
    ...{ state, dispatch, onAttack, disk, dir: home.dir },
    announce: parentSide.announcer.soon,
    announceNews: parentSide.announcer.soonIfNews,
  })
  return {
    ...jobs,
    async stop() {
      live.end()
      await jobs.stop()
    },
  }
}

/** Loaded where it is needed: most nodes are no root. */
async function startRoot(
  { world, store, objects, trust, home }: NodeParts,
  root: NonNullable<NodeParts['root']>,
  {
    self,
    parentSide,
    jobs,
    childrenSide,
    lost,
  }: Omit<Stages, 'uplink' | 'appliedOutcomes' | 'root'> & { lost: LostObjects },
): Promise<Root> {
  const release = await import('../release/root.ts')
  const { clock, log, disk } = world
  const { swarm, source } = self
  return await release.startRoot({
    ...root,
    ...{ trust, swarm, source, clock, log, store, objects, disk, inbox: parentSide.inbox },
    lost,
    policyFile: home.policy,
    refresh: jobs.loading.refreshed,
    warmUp: () => {
      if (childrenSide.serving.hasChildren()) swarm.warmUp()
    },
  })
}

/**
 * Begins the state with what the former daemon has saved; from here on effects are carried out. A
 * root's rollouts start later, so `rollouts` is asked at each effect.
 */
async function begin(
  { world, store, trust, identity, revocations }: NodeParts,
  stages: Omit<Stages, 'uplink' | 'root'>,
  rollouts: () => Rollouts | null,
): Promise<void> {
  const { clock, log, facts } = world
  const { appliedOutcomes, self, parentSide, jobs, childrenSide } = stages
  const { live, swarm, bandwidth } = self
  const runEffect = effectRunnerFor({
    ...{ log, state: live.state, tls: () => identity().tls, jobs, swarm, bandwidth },
    ...{ announcer: parentSide.announcer, reports: parentSide.reports, serving: childrenSide.serving },
    rollouts,
  })
  const saved = {
    ...(await loadSaved(store)),
    quarantine: await loadQuarantine(store, clock, log),
    restarts: await loadRestarts(store, log),
    remembered: await loadRemembered(store, log),
  }
  live.begin({ kind: 'started', ...saved }, runEffect)
  // What was trusted before the restart holds until there is something newer, also where no parent
  // answers.
  const trusted = trust.current()
  if (trusted !== undefined) live.dispatch({ kind: 'refreshed', trusted })
  const collectFacts = async () => live.dispatch({ kind: 'facts-collected', facts: await facts.collect() })
  watchDatabase(store, { clock, dispatch: live.dispatch })
  live.dispatch({ kind: 'revocations-looked', problem: revocations.damage })
  background('finish earlier applies', log, appliedOutcomes.finishEarlier())
  background('collect facts', log, collectFacts())
}

function runningNode({
  self,
  parentSide,
  jobs,
  childrenSide,
  root,
}: Omit<Stages, 'uplink' | 'appliedOutcomes'>): Omit<RunningNode, 'stop'> {
  const { live, liveSettings, swarm, bandwidth } = self
  const { machine, holding } = jobs
  return {
    controlPort: childrenSide.serving.controlPort,
    state: live.state,
    swarm,
    inbox: parentSide.inbox,
    releasing: root?.releasing ?? null,
    rollouts: root?.rollouts ?? null,
    async applyNow() {
      live.dispatch({ kind: 'asked-to-apply' })
      await machine.inspected()
    },
    look: machine.look,
    check: async () => checkFrom(live.state(), await machine.look()),
    rates: bandwidth.rates,
    heldBack: bandwidth.heldBack,
    acknowledge: (node, upTo) => live.dispatch({ kind: 'attacks-acknowledged', node, upTo }),
    metrics: childrenSide.metrics,
    async reload() {
      const reloaded = await liveSettings.reload()
      bandwidth.look()
      holding.hold()
      return reloaded
    },
    onChange: live.onChange,
  }
}
