// The rollouts of a root: opens waves and halts by what nodes report, and by what people ask for.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, NodeName } from '../../model/names.ts'
import { own } from '../../model/packages/records.ts'
import { isOut, type RolloutState, rolloutNameOf } from '../../model/rollouts.ts'
import { didYouMean } from '../../model/yaml/nearest.ts'
import type { Inbox } from '../../report/inbox.ts'
import type { Clock, Store } from '../../world/world.ts'
import type { Signed } from '../signed-revision.ts'
import { startLookSchedule } from './look-schedule.ts'
import { createNodeStandings } from './node-standings.ts'
import { type RolloutInfo, rolloutInfoOf } from './rollout-info.ts'
import { openProgressStore, type ProgressStore } from './rollout-progress.ts'
import { createRolloutSigning, type RolloutSigningParts } from './rollout-signing.ts'
import { advanced, halted, type RolloutChange, resumed, soakedAt, tallyOf, wavesOpen } from './rollout-waves.ts'

export interface Rollouts {
  list(): Promise<RolloutInfo[]>
  /**
   * `name` is `careful@12`, or the name of the rollout or of a package in it, if only one rollout
   * under way has it. Resolves once the change is signed. Throws `not-found`, and `bad-input` for a
   * name that more than one rollout has.
   */
  halt(name: string, because: string): Promise<RolloutInfo>
  /** Lets a halted rollout go on. The nodes that have failed already do not halt it again. */
  resume(name: string): Promise<RolloutInfo>
  /** Opens the next wave now. Throws `conflict` for a rollout that is halted. */
  advance(name: string): Promise<RolloutInfo>
  /** These nodes have newer reports. */
  heard(nodes: readonly NodeName[]): void
  /** Another revision or state was signed. */
  look(): void
  stop(): Promise<void>
}

export interface RolloutsParts extends Omit<RolloutSigningParts, 'standings' | 'progress'> {
  clock: Clock
  /** For the progress of rollouts alone: other keys are deleted. */
  store: Store
  inbox: Pick<Inbox, 'reports' | 'report' | 'knowledgeOf'>
}

export function startRollouts(parts: RolloutsParts): Rollouts {
  const { clock, log } = parts
  const heardSince = clock.now()
  const standings = createNodeStandings(parts)
  const progress = openProgressStore(parts)
  const sign = createRolloutSigning({ ...parts, standings, progress })
  const { isSilent } = standings

  const schedule = startLookSchedule({
    ...{ clock, log },
    async look() {
      const signed = await parts.signed()
      if (signed === null || signed.states.every(isOut)) return null
      const after = await sign((now) => wavesOpen({ ...now, isSilent, heardSince, now: clock.now() }))
      return await nextLookMs(after.signed, { progress, heardSince, now: () => clock.now() })
    },
  })
  const infoOf = async (name: string, { revision, states }: Signed): Promise<RolloutInfo> => {
    const state = states.find((each) => rolloutNameOf(each) === name)
    const rollout = state && own(revision.rollouts, state.rollout)
    if (state === undefined || rollout === undefined) throw new Failure('not-found', `there is no rollout ${name}`)
    const now = { state, rollout, progress: await progress.of(name), standings: standings.in(name) }
    return rolloutInfoOf({ ...now, revision, tally: tallyOf({ ...now, isSilent }), heardSince, now: clock.now() })
  }
  const changeOne = async (asked: string, change: RolloutChange) => {
    const { name, signed } = await sign(change, (now) => nameMeant(asked, now))
    schedule.ask()
    return await infoOf(name ?? asked, signed)
  }

  return {
    async list() {
      const signed = await parts.signed()
      if (signed === null) return []
      await parts.inTurn(() => standings.update(signed))
      return await Promise.all(signed.states.map((state) => infoOf(rolloutNameOf(state), signed)))
    },
    halt: (name, because) => changeOne(name, (now) => halted(now, because)),
    resume: (name) => changeOne(name, resumed),
    advance: (name) => changeOne(name, (now) => advanced({ ...now, now: clock.now() })),
    heard(nodes) {
      if (standings.heard(nodes)) schedule.askSoon()
    },
    look: schedule.ask,
    stop: schedule.stop,
  }
}

/** Milliseconds until a wave may open by itself, within the limits for looks. */
async function nextLookMs(
  { revision, states }: Signed,
  parts: { progress: ProgressStore; heardSince: Instant; now: () => Instant },
): Promise<number> {
  const { progress, heardSince } = parts
  let nextMs: number = limits.rolloutLookMs
  for (const state of states) {
    // A halted rollout may have begun to soak, but no wave opens at the end of that soak.
    if (state.halted !== undefined) continue
    const { settledAt } = await progress.of(rolloutNameOf(state))
    if (settledAt === null) continue
    const soakMs = own(revision.rollouts, state.rollout)?.soakMs ?? 0
    nextMs = Math.min(nextMs, soakedAt({ settledAt, soakMs, heardSince }) - parts.now())
  }
  return Math.max(limits.rolloutDebounceMs, nextMs)
}

/**
 * The name of the rollout that a person means: its own, or that of its rollout or package if that
 * is unambiguous.
 */
function nameMeant(asked: string, { revision, states }: Signed): string {
  const names = states.map(rolloutNameOf)
  if (names.includes(asked)) return asked
  const going = states.filter((state) => !isOut(state))
  const packagesIn = (state: RolloutState) =>
    revision.rules.flatMap(({ terms, since = {} }) =>
      terms?.rollout === state.rollout ? Object.keys(since).filter((name) => own(since, name) === state.since) : [],
    )
  const meant = going.filter((state) => state.rollout === asked || packagesIn(state).includes(asked)).map(rolloutNameOf)
  const [first] = meant
  if (first !== undefined && meant.length === 1) return first
  if (meant.length > 1) throw new Failure('bad-input', `${asked} is in more than one rollout: ${meant.join(', ')}`)
  throw new Failure('not-found', `there is no rollout ${asked}`, {
    hint: didYouMean(asked, names) ?? 'banyan rollout list has their names',
  })
}
