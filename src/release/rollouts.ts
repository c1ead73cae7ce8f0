// The rollouts of a root: watches what nodes report, opens waves, halts, and does what people say about it.

import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { instantSchema, type NodeName, nodeNameSchema } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import { isOut, type Rollout, type RolloutState, rolloutNameOf, rolloutsBytes } from '../model/rollouts.ts'
import { didYouMean } from '../model/yaml/nearest.ts'
import type { Inbox } from '../report/inbox.ts'
import { conditionOf } from '../report/summary.ts'
import type { Fleet } from '../trust/fleet.ts'
import { repeatable } from '../work/background.ts'
import type { Clock, Log, Store, Timer } from '../world/world.ts'
import { type RolloutInfo, rolloutInfoOf } from './rollout-info.ts'
import {
  type Progress,
  resumed,
  type Standing,
  soakedAt,
  standingsOf,
  tallyOf,
  waveOpened,
  wavesOpen,
} from './rollout-waves.ts'
import type { Signed } from './signed-revision.ts'

export interface Rollouts {
  list(): Promise<RolloutInfo[]>
  /** By `careful@12`, or by the rollout's or a package's name where that says which. Resolves when it is signed. */
  halt(name: string, because: string): Promise<RolloutInfo>
  resume(name: string): Promise<RolloutInfo>
  /** Opens the next wave now. */
  advance(name: string): Promise<RolloutInfo>
  /** Something newer is known of these nodes. */
  heard(nodes: readonly NodeName[]): void
  /** Another revision or state was signed. */
  look(): void
  stop(): Promise<void>
}

export interface RolloutsParts {
  clock: Clock
  log: Log
  /** A room of its own. */
  store: Store
  inbox: Pick<Inbox, 'reports' | 'report' | 'knowledgeOf'>
  fleet: Pick<Fleet, 'publishRollouts'>
  /** See `signedLast`; null before the first release. */
  signed: () => Promise<Signed | null>
  /** The root takes in what it signed. */
  refresh: () => Promise<void>
  /** Shared with releases: two at once would sign over each other. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
}

const progressSchema = v.strictObject({
  openedAt: instantSchema,
  settledAt: v.nullable(instantSchema),
  forgiven: v.array(nodeNameSchema),
})
const parseProgress = parserOf(progressSchema)

type Changed = { state: RolloutState; progress: Progress }
type Change = (one: { state: RolloutState; progress: Progress; rollout: Rollout; standings: Standing[] }) => Changed

export function openRollouts(parts: RolloutsParts): Rollouts {
  const { clock, log, store, inbox } = parts
  /** By node, and in there by rollout; of the revision that is named. */
  let standings = new Map<NodeName, Map<string, Standing>>()
  let standingOf: number | null = null
  const news = new Set<NodeName>()
  let timer: Timer | undefined
  let debounce: Timer | undefined
  let stopped = false
  const heardSince = clock.now()

  const gather = async ({ revision, states }: Signed) => {
    if (standingOf !== revision.number) {
      news.clear()
      const all = new Map<NodeName, Map<string, Standing>>()
      for await (const report of inbox.reports()) all.set(report.node, standingsOf(report, revision, states))
      standings = all
      standingOf = revision.number
    }
    for (const node of [...news]) {
      news.delete(node)
      const report = await inbox.report(node)
      if (report !== undefined) standings.set(node, standingsOf(report, revision, states))
    }
  }
  const standingsIn = (name: string): Standing[] => [...standings.values()].flatMap((one) => one.get(name) ?? [])
  const isSilent = (node: NodeName) => {
    const known = inbox.knowledgeOf(node)
    return known === undefined || conditionOf(known, clock.now(), null) === 'silent'
  }
  const progressOf = async (name: string): Promise<Progress> => {
    const saved = await store.get(name)
    return saved === undefined
      ? { openedAt: clock.now(), settledAt: null, forgiven: [] }
      : parseProgress(saved, `progress of ${name}`)
  }

  /** What the nodes and people say becomes signed state, and then the rest is told. */
  const change = (changed: Change, only?: (signed: Signed) => string) =>
    parts.inTurn(async () => {
      const signed = await parts.signed()
      if (signed === null) throw new Failure('not-found', 'nothing is released yet', { hint: 'banyan release' })
      await gather(signed)
      const name = only?.(signed)
      const next: RolloutState[] = []
      for (const state of signed.states) {
        const own = rolloutNameOf(state)
        const rollout = signed.revision.rollouts?.[state.rollout]
        if (rollout === undefined || (name !== undefined && name !== own)) {
          next.push(state)
          continue
        }
        const before = await progressOf(own)
        const after = changed({ state, progress: before, rollout, standings: standingsIn(own) })
        next.push(after.state)
        // What a node may do depends on the signed state alone; this is for the root to go on with after a restart.
        if (JSON.stringify(after.progress) !== JSON.stringify(before) || (await store.get(own)) === undefined) {
          await store.put(own, after.progress)
        }
        tell(state, after.state)
      }
      const bytes = rolloutsBytes(next)
      if (Buffer.compare(bytes, rolloutsBytes(signed.states)) !== 0) {
        await parts.fleet.publishRollouts(bytes)
        await parts.refresh()
      }
      await forgetOld(next)
      return { name, signed: { ...signed, states: next } }
    })
  const tell = (before: RolloutState, after: RolloutState) => {
    const rollout = rolloutNameOf(after)
    if (after.open !== before.open) log.info('wave opened', { rollout, wave: after.open })
    if (after.halted !== undefined && before.halted === undefined) {
      log.warn('rollout halted', { rollout, because: after.halted })
    }
  }
  const forgetOld = async (states: readonly RolloutState[]) => {
    const names = new Set(states.map(rolloutNameOf))
    for await (const [key] of store.entries()) if (!names.has(key)) await store.delete(key)
  }

  const steering = repeatable('look at rollouts', log, async () => {
    if (stopped) return
    // Also if what follows fails.
    again(limits.rolloutLookMs)
    const signed = await parts.signed()
    if (signed === null || signed.states.every(isOut)) return timer?.cancel()
    const { signed: after } = await change((one) => wavesOpen({ ...one, isSilent, heardSince, now: clock.now() }))
    let nextMs: number = limits.rolloutLookMs
    for (const state of after.states) {
      // A halt in the middle of a soak leaves its beginning behind, and nothing comes at its end.
      if (state.halted !== undefined) continue
      const { settledAt } = await progressOf(rolloutNameOf(state))
      const soakMs = after.revision.rollouts?.[state.rollout]?.soakMs ?? 0
      if (settledAt !== null) nextMs = Math.min(nextMs, soakedAt({ settledAt, soakMs, heardSince }) - clock.now())
    }
    again(Math.max(limits.rolloutDebounceMs, nextMs))
  })
  const again = (ms: number) => {
    timer?.cancel()
    if (!stopped) timer = clock.after(ms, steering.ask)
  }

  const infoOf = async (name: string, { revision, states }: Signed): Promise<RolloutInfo> => {
    const state = states.find((each) => rolloutNameOf(each) === name)
    const rollout = state && revision.rollouts?.[state.rollout]
    if (state === undefined || rollout === undefined) throw new Failure('not-found', `there is no rollout ${name}`)
    const of = standingsIn(name)
    const tally = tallyOf({ state, standings: of, isSilent })
    const progress = await progressOf(name)
    return rolloutInfoOf({ state, rollout, revision, progress, tally, standings: of, heardSince, now: clock.now() })
  }
  const changeOne = async (asked: string, changed: Change) => {
    const { name, signed } = await change(changed, (now) => nameMeant(asked, now))
    steering.ask()
    return await infoOf(name ?? asked, signed)
  }

  return {
    async list() {
      const signed = await parts.signed()
      if (signed === null) return []
      await parts.inTurn(() => gather(signed))
      return await Promise.all(signed.states.map((state) => infoOf(rolloutNameOf(state), signed)))
    },
    halt: (name, because) =>
      changeOne(name, ({ state, progress }) => ({
        state: state.halted === undefined ? { ...state, halted: because } : state,
        progress,
      })),
    resume: (name) => changeOne(name, resumed),
    advance: (name) =>
      changeOne(name, ({ state, progress, standings }) => {
        if (state.halted !== undefined) {
          throw new Failure('conflict', `${rolloutNameOf(state)} is halted: ${state.halted}`, {
            hint: `banyan rollout resume ${rolloutNameOf(state)} lets it go on`,
          })
        }
        if (state.open >= state.waves.length) return { state, progress }
        return waveOpened({ state, progress, standings, now: clock.now() })
      }),
    heard(nodes) {
      if (standingOf === null) return
      for (const node of nodes) news.add(node)
      if (debounce !== undefined || stopped) return
      debounce = clock.after(limits.rolloutDebounceMs, () => {
        debounce = undefined
        steering.ask()
      })
    },
    look: steering.ask,
    async stop() {
      stopped = true
      timer?.cancel()
      debounce?.cancel()
      await steering.settled()
    },
  }
}

/** `careful@12`, or a rollout or a package of which only one is under way. */
function nameMeant(asked: string, { revision, states }: Signed): string {
  const names = states.map(rolloutNameOf)
  if (names.includes(asked)) return asked
  const going = states.filter((state) => !isOut(state))
  const packagesIn = (state: RolloutState) =>
    revision.rules.flatMap(({ terms, since = {} }) =>
      terms?.rollout === state.rollout ? Object.keys(since).filter((name) => since[name] === state.since) : [],
    )
  const meant = going.filter((state) => state.rollout === asked || packagesIn(state).includes(asked)).map(rolloutNameOf)
  const [first] = meant
  if (first !== undefined && meant.length === 1) return first
  if (meant.length > 1) throw new Failure('bad-input', `${asked} is in more than one rollout: ${meant.join(', ')}`)
  throw new Failure('not-found', `there is no rollout ${asked}`, {
    hint: didYouMean(asked, names) ?? 'banyan rollout list has their names',
  })
}
