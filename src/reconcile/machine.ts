// The machine of one node, for its daemon: looks at it, and carries plans out. All parts of
// reconcile meet here.

import path from 'node:path'
import { Failure } from '../model/failure.ts'
import { outdatedProcesses } from '../world/processes.ts'
import type { Clock, Disk, Exec, Random } from '../world/world.ts'
import { type FoundApply, findApplies, markApplyTaken, startApply, waitForApply } from './apply/apply.ts'
import { type EndedApply, endedApply } from './apply/ended-apply.ts'
import { type LookRequest, type LookResult, lookAtMachine } from './machine-look.ts'
import { createCachedNeeds, type NeedsParts } from './machine-needs.ts'
import type { Plan } from './plan.ts'
import { providersFor } from './providers/providers.ts'

export interface MachineParts {
  home: string
  targetRoot: string
  exec: Exec
  disk: Disk
  clock: Clock
  random: Random
  /** See `startApply`. */
  asUnit?: boolean
  /** The default is those of this machine. */
  outdatedProcesses?: NeedsParts['outdatedProcesses']
}

/** What a daemon does with its machine. */
export interface LocalMachine {
  look(request: LookRequest): Promise<LookResult>
  /** Waits until the plan is carried out. Throws `locked` if another apply is at work. */
  apply(plan: Plan): Promise<EndedApply>
  /**
   * The applies that outlived a former daemon or were killed, the oldest first. Waits for the one
   * that still runs. An apply is among them until `stored` was called with it.
   */
  finishEarlier(): Promise<EndedApply[]>
  /** The caller has stored what these applies did: `finishEarlier` leaves them out from now on. */
  stored(txids: readonly string[]): Promise<void>
}

/** Has nothing to stop: an apply is a process of its own, which ends by itself. */
export function openLocalMachine(given: MachineParts): LocalMachine {
  // The apply process may have another working directory.
  const parts = { ...given, home: path.resolve(given.home), targetRoot: path.resolve(given.targetRoot) }
  const providers = providersFor(parts)
  const cachedNeeds = createCachedNeeds({ outdatedProcesses, ...parts })

  async function ended(found: HasRun, unreached: 'failed' | 'skipped'): Promise<EndedApply> {
    cachedNeeds.changed()
    return await endedApply({ ...parts, providers }, found, unreached)
  }

  return {
    look: (request) => lookAtMachine({ ...parts, providers, cachedNeeds }, request),

    async apply(plan) {
      const { txid, pid } = await startApply(parts, plan)
      const found = await waitForApply(parts, { txid, plan, pid })
      if (found.state !== 'refused') return await ended(found, 'failed')
      await markApplyTaken(parts, txid)
      throw new Failure('locked', 'another apply is at work on this machine', { retry: 'later' })
    },

    async finishEarlier() {
      const earlier: EndedApply[] = []
      for (const one of await findApplies(parts)) {
        const found = one.state === 'running' ? await waitForApply(parts, one) : one
        if (found.state === 'refused') await markApplyTaken(parts, found.txid)
        else earlier.push(await ended(found, 'skipped'))
      }
      return earlier
    },

    async stored(txids) {
      for (const txid of txids) await markApplyTaken(parts, txid)
    },
  }
}

type HasRun = Extract<FoundApply, { state: 'finished' | 'aborted' }>
