// What an apply did, whether its process wrote that down or was killed before it could.

import { limits } from '../../model/limits.ts'
import type { Sha256 } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import type { Clock, Disk } from '../../world/world.ts'
import type { Actual } from '../actual.ts'
import type { Plan } from '../plan.ts'
import type { Providers } from '../providers/provider.ts'
import type { BegunRestart, RestartResult } from '../restarts.ts'
import { outcomesAfterAbort } from './aborted.ts'
import { type FoundApply, lastWordsOf } from './apply.ts'
import { applyFolder } from './apply-folder.ts'
import { leftBehindEnd } from './left-behind.ts'

/** The outcomes of a plan. */
export interface EndedApply {
  txid: string
  outcomes: Outcome[]
  /** The payloads of the store that are not what was signed, or not there. */
  damaged: readonly Sha256[]
  plan: Plan
  restarts: (RestartResult | BegunRestart)[]
  /** The last of what the programs printed. */
  output: string
}

export interface EndedParts {
  home: string
  disk: Disk
  clock: Clock
  providers: Providers
}

/**
 * Of an apply that was killed, waits for the programs that it had started, and then judges the
 * machine as it is. `unreached` is the outcome of packages that are not as planned: `failed` makes
 * their next try wait.
 */
export async function endedApply(
  parts: EndedParts,
  found: Extract<FoundApply, { state: 'finished' | 'aborted' }>,
  unreached: 'failed' | 'skipped',
): Promise<EndedApply> {
  const { plan, txid } = found
  if (found.state === 'finished') {
    const { outcomes, damaged, restarts, output } = found.applied
    return { txid, outcomes, damaged, plan, restarts, output }
  }
  const { attempted, lastStep, restarts } = found
  await leftBehindEnd(parts.clock, applyFolder(parts.home, txid).programs)
  const output = await lastWordsOf(parts, txid)
  const step = lastStep === null ? '' : ` while ${lastStep}`
  const because = `the apply was interrupted${step}${output && `: ${output}`}`.slice(0, limits.detailMaxChars)
  const actual = await actualOf(plan, parts.providers)
  const outcomes = outcomesAfterAbort({ plan, attempted, actual, unreached, because })
  return { txid, outcomes, damaged: [], plan, restarts, output }
}

/** Every byte of the plan's packages is read. */
async function actualOf({ actions }: Plan, providers: Providers): Promise<Actual[]> {
  const ignored = new Map(actions.flatMap(({ name, ignore }) => (ignore === undefined ? [] : [[name, ignore]])))
  const looks = [...providers.values()].map((provider) => {
    const names = actions.filter(({ kind }) => kind === provider.kind).map(({ name }) => name)
    return provider.inspect(names, { owned: new Set(names), depth: 'full', ignored })
  })
  return (await Promise.all(looks)).flat()
}
