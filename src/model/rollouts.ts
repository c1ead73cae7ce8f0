// Rollouts: how they are written in a policy, what a revision says of them, and their signed state
// (`rollouts.json`).

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { limits } from './limits.ts'
import { countSchema, instantSchema, lineSchema, type NodeName, wordSchema } from './names.ts'
import { parserOf } from './parse.ts'
import { msOfDuration } from './units/durations.ts'

const percentSchema = v.pipe(v.number(), v.minValue(0), v.maxValue(100))

/**
 * For each wave, the percentage of nodes that are in it or in an earlier one. The last wave has
 * 100.
 */
const wavesSchema = v.pipe(
  v.array(percentSchema),
  v.minLength(1),
  v.maxLength(limits.wavesMax),
  v.check((waves) => waves.every((share, index) => share > (waves[index - 1] ?? 0)), 'expected growing waves'),
  v.check((waves) => waves.at(-1) === 100, 'expected 100 as the last wave'),
)

/** How carefully packages are rolled out, as a revision has it. */
export const rolloutSchema = v.strictObject({
  waves: wavesSchema,
  soakMs: countSchema,
  /**
   * The rollout halts by itself above this percentage of failed nodes, among the nodes whose wave
   * is open.
   */
  haltFailed: percentSchema,
})
export type Rollout = v.InferOutput<typeof rolloutSchema>

/** The state of what one revision began to roll out under one rollout of the policy. */
const rolloutStateSchema = v.strictObject({
  rollout: wordSchema,
  /** The number of that revision. */
  since: countSchema,
  /**
   * Decides which node is in which wave. A rollout that replaces an unfinished one keeps its seed.
   */
  seed: lineSchema,
  waves: wavesSchema,
  /** How many waves are open, from the first. */
  open: countSchema,
  /**
   * When the newest of them opened. From it and the soak, a node reckons when its own wave opens.
   */
  openedAt: v.exactOptional(instantSchema),
  /** Why the rollout is halted, so that no further node may begin. Absent unless it is. */
  halted: v.exactOptional(lineSchema),
})
export type RolloutState = v.InferOutput<typeof rolloutStateSchema>

const rolloutsSchema = v.strictObject({
  schema: v.literal(1),
  rollouts: v.pipe(v.array(rolloutStateSchema), v.maxLength(limits.rolloutsMax)),
})
const parseRolloutsFile = parserOf(
  // A new fleet has an empty file.
  v.union([rolloutsSchema, v.strictObject({})], 'expected the state of the rollouts'),
)

export function parseRollouts(input: unknown, where: string): RolloutState[] {
  const parsed = parseRolloutsFile(input, where)
  return 'rollouts' in parsed ? parsed.rollouts : []
}

export function rolloutsBytes(rollouts: readonly RolloutState[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ schema: 1, rollouts }))
}

/** The name that people use for a rollout: `careful@12`. */
export function rolloutNameOf({ rollout, since }: Pick<RolloutState, 'rollout' | 'since'>): string {
  return `${rollout}@${since}`
}

/** Whether every node may have what is rolled out. */
export function isOut({ open, waves, halted }: RolloutState): boolean {
  return open >= waves.length && halted === undefined
}

/**
 * The wave of a node, from 0, by a hash of its name and the seed. So each node reckons its own
 * wave, the wave stays the same, every rollout begins with other nodes, and each site has its share
 * of nodes in each wave.
 */
export function waveOf(node: NodeName, { seed, waves }: Pick<RolloutState, 'seed' | 'waves'>): number {
  const percent = (createHash('sha256').update(`${seed}\n${node}`).digest().readUIntBE(0, 6) / 2 ** 48) * 100
  const wave = waves.findIndex((share) => percent < share)
  return wave < 0 ? waves.length - 1 : wave
}

/** Whether a node may have what is rolled out now. */
export function mayHave(node: NodeName, state: RolloutState): boolean {
  return state.halted === undefined && waveOf(node, state) < state.open
}

const percentText = /^\d{1,3}(\.\d{1,3})?%$/
const shareSchema = v.pipe(
  v.string('expected a share such as 10%'),
  v.regex(percentText, 'expected a share such as 10%'),
  v.check((text) => percentOf(text) <= 100, 'expected at most 100%'),
)

/** As operators write it. */
export const policyRolloutSchema = v.pipe(
  v.strictObject(
    {
      waves: v.pipe(
        v.array(shareSchema, 'expected shares such as [1%, 10%, 100%]'),
        v.minLength(1, 'expected at least one wave, the last of them 100%'),
        v.maxLength(limits.wavesMax, `over ${limits.wavesMax} waves`),
        v.check(
          (waves) => waves.every((share, at) => percentOf(share) > percentOf(waves[at - 1] ?? '0%')),
          'each wave has all nodes of the one before it and more; expected growing shares',
        ),
        v.check((waves) => percentOf(waves.at(-1) ?? '') === 100, 'expected 100% as the last wave'),
        v.description('shares of the nodes that have it after each wave: [1%, 10%, 100%]'),
      ),
      soak: v.exactOptional(
        v.pipe(
          v.string(),
          v.regex(/^\d{1,6}[smhd]$/, 'expected a duration such as 30m'),
          v.description('how long a wave is watched once its nodes are done, before the next one opens; 30m if absent'),
        ),
      ),
      halt: v.exactOptional(
        v.strictObject(
          {
            failed: v.pipe(
              shareSchema,
              v.description('it halts by itself when more of the nodes in open waves have failed; 2% if absent'),
            ),
          },
          'expected a limit, e.g. { failed: 2% }',
        ),
      ),
    },
    'expected waves, soak and halt',
  ),
  v.description('what is released reaches the nodes in waves'),
)
export type PolicyRollout = v.InferOutput<typeof policyRolloutSchema>

export function rolloutOf({ waves, soak = '30m', halt = { failed: '2%' } }: PolicyRollout): Rollout {
  return {
    waves: waves.map(percentOf),
    soakMs: msOfDuration(soak),
    haltFailed: percentOf(halt.failed),
  }
}

function percentOf(text: string): number {
  return Number(text.slice(0, -1))
}
