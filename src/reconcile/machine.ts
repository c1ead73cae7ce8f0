// The machine of one node, for its daemon: a look at it, and the carrying out of a plan. All parts of reconcile meet here.

import path from 'node:path'
import type { DesiredPackage } from '../model/desired.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import type { Outcome } from '../model/report.ts'
import type { MachineNeeds } from '../model/restarts.ts'
import { outdatedProcesses } from '../world/processes.ts'
import type { Clock, Disk, Exec, Random } from '../world/world.ts'
import type { InstalledRecord } from './actual.ts'
import { outcomesAfterAbort } from './apply/aborted.ts'
import { type FoundApply, findApplies, lastWordsOf, markApplyTaken, startApply, waitForApply } from './apply/apply.ts'
import { applyFolder } from './apply/apply-folder.ts'
import { leftBehindEnd } from './apply/left-behind.ts'
import { type Difference, keyOf } from './differences.ts'
import { outcomesKept } from './kept.ts'
import { createCachedNeeds, type NeedsParts } from './machine-needs.ts'
import { type Plan, planFor } from './plan.ts'
import { inspectAll, providersFor } from './providers/providers.ts'
import { recordsStanding } from './records.ts'
import { type BegunRestart, type RestartResult, withRestarts } from './restarts.ts'
import { type Timing, waitsFor } from './waits.ts'
import { differencesWithLater, type Later } from './waves.ts'

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

export interface LookRequest {
  revision: { number: number; digest: Sha256 }
  desired: DesiredPackage[]
  manifests: ReadonlyMap<Sha256, Manifest>
  records: InstalledRecord[]
  converged: number | null
  /** What `desired` has to go without until its wave opens. */
  later: readonly Later[]
  timing: Timing
  payloadPath(manifest: Manifest): Promise<string | undefined>
}

export interface LookResult {
  differences: Difference[]
  plan: Plan
  kept: Outcome[]
  records: InstalledRecord[]
  /** What the machine needs beside packages; absent if nobody knows. */
  needs?: MachineNeeds
}

/** What became of a plan. */
export interface EndedApply {
  txid: string
  outcomes: Outcome[]
  plan: Plan
  restarts: (RestartResult | BegunRestart)[]
  /** The last of what the programs printed. */
  output: string
}

export interface LocalMachine {
  look(look: LookRequest): Promise<LookResult>
  /** Throws `locked` if another apply is at work. */
  apply(plan: Plan): Promise<EndedApply>
  /** What applies came to that outlived a former daemon, or were killed, the oldest first; waits for the one that runs. */
  finishEarlier(): Promise<EndedApply[]>
  /** What these came to is stored, and need not come again: of all others a later daemon gets it once more. */
  stored(txids: readonly string[]): Promise<void>
}

export function openLocalMachine(given: MachineParts): LocalMachine {
  // The apply process may have another working directory.
  const parts = { ...given, home: path.resolve(given.home), targetRoot: path.resolve(given.targetRoot) }
  const providers = providersFor(parts)
  const cachedNeeds = createCachedNeeds({ outdatedProcesses, ...parts })

  async function look(look: LookRequest): Promise<LookResult> {
    const { desired, manifests, revision, converged } = look
    const about = { desired, manifests, installed: look.records }
    const actual = await inspectAll(providers, { ...about, depth: 'quick' })
    const records = recordsStanding(look.records, { desired, actual })
    const compared = { desired, manifests, actual, installed: records, revision: revision.number, converged }
    const differences = differencesWithLater(compared, look.later)
    const payloadsHere = await payloadsFor(look, differences, records)
    const waitOf = waitsFor(desired, look.later, look.timing)
    const planned = planFor(differences, { revision, manifests, payloadsHere, installed: records, waitOf })
    const plan = withRestarts(planned, desired)
    const needs = await cachedNeeds.look()
    return { differences, plan, kept: outcomesKept({ desired, actual, differences, plan }), records, needs }
  }

  async function payloadsFor(
    { manifests, payloadPath }: LookRequest,
    differences: readonly Difference[],
    records: readonly InstalledRecord[],
  ): Promise<Map<Sha256, string>> {
    const here = new Map<Sha256, string>()
    const known = new Map(records.map((record) => [keyOf(record.kind, record.name), record]))
    for (const difference of differences) {
      const manifest = difference.manifest === null ? undefined : manifests.get(difference.manifest)
      if (manifest === undefined) continue
      const file = await payloadPath(manifest)
      if (file !== undefined) here.set(manifest.payload.sha256, path.resolve(file))
      const former = difference.kind === null ? undefined : known.get(keyOf(difference.kind, difference.name))
      const kept = former === undefined || here.has(former.payload) ? undefined : await keptPayload(former.payload)
      if (former !== undefined && kept !== undefined) here.set(former.payload, kept)
    }
    return here
  }

  /** Of a version that no manifest in hand names any more. */
  async function keptPayload(payload: Sha256): Promise<string | undefined> {
    for (const folder of ['store', 'objects']) {
      const file = path.join(parts.home, folder, payload)
      if ((await parts.disk.stat(file))?.kind === 'file') return file
    }
    return undefined
  }

  async function outcomesOf(
    ended: Exclude<FoundApply, { state: 'running' }>,
    unreached: 'failed' | 'skipped',
  ): Promise<EndedApply> {
    const { plan, txid } = ended
    if (ended.state === 'refused') {
      await markApplyTaken(parts, txid)
      throw new Failure('locked', 'another apply is at work on this machine', { retry: 'later' })
    }
    cachedNeeds.changed()
    if (ended.state === 'finished') {
      const { outcomes, restarts, output } = ended.applied
      return { txid, outcomes, plan, restarts, output }
    }
    const { attempted, lastStep, restarts } = ended
    await leftBehindEnd(parts.clock, applyFolder(parts.home, txid).programs)
    const words = await lastWordsOf(parts, txid)
    const because = `the apply was interrupted${lastStep === null ? '' : ` while ${lastStep}`}${words && `: ${words}`}`
    const actual = (
      await Promise.all(
        [...providers.values()].map((provider) => {
          const names = plan.actions.filter(({ kind }) => kind === provider.kind).map(({ name }) => name)
          return provider.inspect(names, { owned: new Set(names), depth: 'full' })
        }),
      )
    ).flat()
    return {
      txid,
      outcomes: outcomesAfterAbort({
        plan,
        attempted,
        actual,
        unreached,
        because: because.slice(0, limits.detailMaxChars),
      }),
      plan,
      restarts,
      output: words,
    }
  }

  return {
    look,

    async apply(plan) {
      const { txid, pid } = await startApply(parts, plan)
      return await outcomesOf(await waitForApply(parts, { txid, plan, pid }), 'failed')
    },

    async finishEarlier() {
      const ended = []
      for (const found of await findApplies(parts)) {
        const one = found.state === 'running' ? await waitForApply(parts, found) : found
        if (one.state === 'refused') await markApplyTaken(parts, one.txid)
        else ended.push(await outcomesOf(one, 'skipped'))
      }
      return ended
    },

    async stored(txids) {
      for (const txid of txids) await markApplyTaken(parts, txid)
    },
  }
}
