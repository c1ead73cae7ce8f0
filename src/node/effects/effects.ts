// Which part of a node carries out which effect: a table with one handler for each kind, so that a
// missing one does not compile.

import { backgroundOf } from '../../model/revision.ts'
import type { Rollouts } from '../../release/rollouts/rollouts.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { background } from '../../work/background.ts'
import type { Log, TlsIdentity } from '../../world/world.ts'
import type { Bandwidth } from '../bandwidth.ts'
import type { Serving } from '../children/serving.ts'
import type { Announcer } from '../parent/announcer.ts'
import type { Reports } from '../parent/reports.ts'
import type { Effect } from '../state/events.ts'
import type { State } from '../state/state.ts'
import type { Jobs } from './jobs.ts'

export interface EffectParts {
  log: Log
  state: () => State
  tls: () => TlsIdentity
  jobs: Jobs
  swarm: Pick<Swarm, 'have' | 'setBackground' | 'renew' | 'warmUp'>
  bandwidth: Pick<Bandwidth, 'look'>
  announcer: Pick<Announcer, 'soon'>
  reports: Pick<Reports, 'ask' | 'again'>
  serving: Pick<Serving, 'tellChildren' | 'hasChildren' | 'met' | 'parted' | 'renew'>
  /** Null at every node but a root, and at a root until its rollouts have started. */
  rollouts: () => Pick<Rollouts, 'heard'> | null
}

type Handlers = { [K in Effect['kind']]: (effect: Extract<Effect, { kind: K }>) => void }

/** Every effect is started at once and nothing is awaited; results come back as events. */
export function effectRunnerFor(parts: EffectParts): (effect: Effect) => void {
  const handlers = handlersOf(parts)
  return (effect) => {
    // The compiler does not see that a kind and its handler belong together; the type of the table
    // says so.
    const handle = handlers[effect.kind] as (effect: Effect) => void
    handle(effect)
  }
}

function handlersOf(parts: EffectParts): Handlers {
  const { log, state, jobs, swarm, bandwidth, announcer, reports, serving, rollouts } = parts
  return {
    refresh: () => jobs.loading.refresh(),
    'load-revision': ({ digest }) => jobs.loading.loadRevision(digest),
    'load-rollouts': ({ digest }) => jobs.loading.loadRollouts(digest),
    'load-manifests': () => jobs.loading.loadManifests(),
    hold: () => jobs.holding.hold(),
    inspect: () => jobs.machine.inspect(),
    apply: ({ plan }) => jobs.machine.apply(plan),
    recheck: ({ payloads }) => jobs.machine.recheck(payloads),
    'look-later': ({ ms }) => jobs.lookTimer.lookWithin(ms),
    'probe-disk': () => jobs.diskProbe.probe(),
    'save-converged': ({ revision }) => jobs.saving.saveConverged(revision),
    'save-quarantine': () => jobs.saving.saveQuarantine(),
    remember: () => jobs.saving.remember(),
    'set-rates': () => bandwidth.look(),
    'set-background': () => {
      const { revision } = state()
      if (revision !== null) swarm.setBackground(backgroundOf(revision.body))
    },
    'warm-up': () => {
      if (serving.hasChildren()) swarm.warmUp()
    },
    'tell-children': () => serving.tellChildren(),
    'use-certificate': () => {
      serving.renew(parts.tls())
      swarm.renew()
    },
    'check-peer': ({ infoHash, node }) => serving.met(infoHash, node),
    'note-parted': ({ infoHash, node }) => {
      serving.parted(infoHash, node)
      // That node may have been the gateway of this site; an announce has another one elected.
      if (swarm.have(infoHash) !== 'all') announcer.soon()
    },
    announce: () => announcer.soon(),
    report: () => {
      // A report without facts is of no use to anybody.
      if (state().facts !== null) reports.ask()
    },
    'report-again': () => background('report again', log, reports.again()),
    'advance-rollouts': ({ nodes }) => rollouts()?.heard(nodes),
  }
}
