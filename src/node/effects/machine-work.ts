// Works on this machine: looks at it, and applies what the state has planned.

import { limits } from '../../model/limits.ts'
import type { Sha256 } from '../../model/names.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import type { LocalMachine } from '../../reconcile/machine.ts'
import type { LookResult } from '../../reconcile/machine-look.ts'
import { nextLookAt, type Plan } from '../../reconcile/plan.ts'
import { permittedFor } from '../../reconcile/waves.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { background, repeatable } from '../../work/background.ts'
import type { Objects } from '../../world/objects.ts'
import type { Clock, Log, Store } from '../../world/world.ts'
import type { AppliedOutcomes } from '../disk/applied-outcomes.ts'
import { payloadPaths } from '../disk/payloads.ts'
import type { Event } from '../state/events.ts'
import { rolloutsInForce } from '../state/in-force.ts'
import type { State } from '../state/state.ts'
import { failureOf } from './failure-of.ts'

export interface MachineWorkParts {
  clock: Clock
  log: Log
  store: Pick<Store, 'put'>
  machine: LocalMachine
  source: Pick<ObjectSource, 'paths'>
  swarm: Pick<Swarm, 'payloadPath' | 'recheck'>
  objects: Pick<Objects, 'get'>
  appliedOutcomes: AppliedOutcomes
  state: () => State
  dispatch: (event: Event) => void
  lookWithin: (ms: number) => void
}

export interface MachineWork {
  /** Looks at the machine and dispatches what was seen. */
  inspect(): void
  /** Resolves once no inspection is running or asked for. */
  inspected(): Promise<void>
  /**
   * Compares the machine with the desired state and changes nothing. Null while the desired state
   * is not known.
   */
  look(): Promise<LookResult | null>
  apply(plan: Plan): void
  /** Reads these payloads again, small ones too, and dispatches `rechecked`. */
  recheck(payloads: readonly Sha256[]): void
  /**
   * Resolves once no inspection runs. An apply that runs is not awaited: it outlives the daemon.
   */
  stop(): Promise<void>
}

/** Results and failures are dispatched as events; `look` alone throws what the look throws. */
export function startMachineWork(parts: MachineWorkParts): MachineWork {
  const { clock, log, dispatch } = parts
  let stopped = false

  const inspecting = repeatable('inspect', log, async () => {
    try {
      await inspect(parts)
    } catch (error) {
      dispatch({ kind: 'inspect-failed', failure: failureOf(error, log) })
    }
  })
  const apply = async (plan: Plan) => {
    try {
      await parts.appliedOutcomes.record([await parts.machine.apply(plan)])
    } catch (error) {
      const monotonicMs = clock.monotonicMs()
      if (!stopped) dispatch({ kind: 'apply-failed', failure: failureOf(error, log), monotonicMs })
    }
  }
  const recheck = async (payloads: readonly Sha256[]) => {
    let isTold = false
    const tell = () => {
      if (!stopped && !isTold) dispatch({ kind: 'rechecked' })
      isTold = true
    }
    // Applies wait for it. What is found later is mended all the same.
    const bound = clock.after(limits.recheckMaxMs, tell)
    try {
      for (const payload of payloads) {
        // A damaged object is removed by that.
        await parts.objects.get(payload)
        await parts.swarm.recheck(payload)
      }
    } finally {
      bound.cancel()
      tell()
    }
  }
  return {
    inspect: inspecting.ask,
    inspected: inspecting.settled,
    async look() {
      return (await lookNow(parts))?.looked ?? null
    },
    apply: (plan) => background('apply', log, apply(plan)),
    recheck: (payloads) => background('recheck', log, recheck(payloads)),
    async stop() {
      stopped = true
      await inspecting.settled()
    },
  }
}

async function inspect(parts: MachineWorkParts): Promise<void> {
  const { state, clock, store, dispatch, lookWithin } = parts
  // In the middle of an apply the machine differs from every desired state. The end of the apply
  // asks for another look.
  if (state().applying) return
  try {
    await parts.appliedOutcomes.recordRest()
  } catch (error) {
    lookWithin(limits.failedRetryMs)
    throw error
  }
  const { records } = state()
  const result = await lookNow(parts)
  if (result === null) return
  const { number, rollouts, looked } = result
  if (looked.records.length !== records.length) await store.put('records', looked.records)
  dispatch({ kind: 'inspected', revision: number, rollouts, ...looked })
  const next = nextLookAt(looked.plan)
  if (next !== undefined) lookWithin(Math.max(0, next - clock.now()))
}

/**
 * `number` and `rollouts` say which revision and which state of its rollouts (by digest) the look
 * went by.
 */
async function lookNow({
  state,
  clock,
  machine,
  swarm,
  source,
}: MachineWorkParts): Promise<{ number: number; rollouts: Sha256 | null; looked: LookResult } | null> {
  const { name: node, revision, manifests, records, converged, earlier, desired: wanted } = state()
  const rollouts = rolloutsInForce(state())
  if (revision === null || manifests === null) return null
  const { number, windows = {}, rollouts: rolloutTerms = {} } = revision.body
  const timeZone = () => clock.timeZone()
  const { desired, later } = permittedFor({
    ...{ node, records, earlier, rollouts: rollouts?.states ?? null, rolloutTerms, timeZone },
    desired: wanted,
  })
  const looked = await machine.look({
    ...{ desired, later, manifests, records, converged, payloadPath: payloadPaths({ swarm, source }) },
    revision: { number, digest: revision.digest },
    timing: { windows, now: clock.now(), timeZone },
  })
  return { number, rollouts: rollouts?.digest ?? null, looked }
}
