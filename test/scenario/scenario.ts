// A scenario: a whole tree on the simulated clock and network, the same for the same seed.
//
// Scenarios run before tap is loaded, and tap is told afterwards what they found: tap follows every
// promise of a test through async hooks, which takes as long as the scenario itself.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { messageOf } from '../../src/model/failure.ts'
import { createSimulation, type Simulation } from '../world/simulation.ts'
import { plantTree, type Tree, type TreeNode, type TreeSpec } from '../world/tree.ts'
import { lineOf } from './seeds.ts'

export interface Check {
  ok(holds: boolean, message: string): void
  same(found: unknown, wanted: unknown, message: string): void
  /** `found` has at least what `wanted` has. */
  match(found: object | null | undefined, wanted: object, message: string): void
  comment(text: string): void
}

export interface Stage {
  seed: string
  simulation: Simulation
  plant(spec: TreeSpec): Promise<Tree>
}

type Finding =
  | { kind: 'comment'; text: string }
  | { kind: 'pass'; text: string }
  | { kind: 'fail'; text: string; because: string }

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
export const MiB = 2 ** 20

const told: { sentence: string; tookMs: number; findings: Finding[] }[] = []

export interface ScenarioOptions {
  usualSeed?: string
  /** The name of the random walk that this is: its failed seeds are kept. */
  walk?: string
}

/** `BANYAN_SEED=...` in the environment replays another course of events than the usual one. */
export async function scenario(
  sentence: string,
  body: (check: Check, stage: Stage) => Promise<void>,
  { usualSeed = createHash('sha256').update(sentence).digest('hex').slice(0, 8), walk }: ScenarioOptions = {},
): Promise<void> {
  const seed = process.env['BANYAN_SEED'] ?? usualSeed
  const findings: Finding[] = [{ kind: 'comment', text: `BANYAN_SEED=${seed}` }]
  const checked = (text: string, look: () => void) => {
    try {
      look()
      findings.push({ kind: 'pass', text })
    } catch (error) {
      findings.push({ kind: 'fail', text: `${text} (seed ${seed})`, because: messageOf(error) })
    }
  }
  const check: Check = {
    ok: (holds, message) => checked(message, () => assert.ok(holds, message)),
    same: (found, wanted, message) => checked(message, () => assert.deepEqual(found, wanted)),
    match: (found, wanted, message) => checked(message, () => assert.partialDeepStrictEqual(found ?? {}, wanted)),
    comment: (text) => {
      findings.push({ kind: 'comment', text })
      // What a scenario says while it runs, for who waits for it.
      if (process.env['BANYAN_SEED'] !== undefined) process.stderr.write(`# ${text}\n`)
    },
  }
  const simulation = createSimulation({ seed, logLevel: 'info' })
  const planted: Tree[] = []
  const plant = async (spec: TreeSpec) => {
    const tree = await plantTree(simulation, spec)
    planted.push(tree)
    return tree
  }
  const began = performance.now()
  try {
    await body(check, { seed, simulation, plant })
  } catch (error) {
    const because = error instanceof Error ? (error.stack ?? error.message) : String(error)
    findings.push({ kind: 'fail', text: `it ends (seed ${seed})`, because })
  }
  for (const tree of planted) check.same(tree.promises.broken(), [], 'no promise was broken on the way')
  if (walk !== undefined && findings.some(({ kind }) => kind === 'fail')) {
    findings.push({ kind: 'comment', text: lineOf(walk, seed) })
  }
  told.push({ sentence, tookMs: performance.now() - began, findings })
}

/** The end of every file of scenarios. */
export async function tellTap(): Promise<void> {
  const { default: t } = await import('tap')
  for (const { sentence, tookMs, findings } of told) {
    t.test(sentence, async (t) => {
      for (const finding of findings) {
        if (finding.kind === 'comment') t.comment(finding.text)
        if (finding.kind === 'pass') t.pass(finding.text)
        if (finding.kind === 'fail') t.fail(finding.text, { because: finding.because, at: null, stack: '' })
      }
      t.comment(`it took ${(tookMs / 1000).toFixed(1)} s`)
    })
  }
}

/** Converges and looks whether everything fits together. */
export async function settles(
  check: Check,
  tree: Tree,
  options?: { withinMs?: number; stepMs?: number },
): Promise<number> {
  const tookMs = await tree.converge(options)
  const { running } = tree.root
  if (running === undefined) throw new Error('the root is down')
  check.same(await tree.promises.inconsistent(tree.nodes, running), [], 'machines, outcomes and reports say the same')
  return tookMs
}

/** Names those that have something else installed. */
export function allHave(
  check: Check,
  nodes: readonly TreeNode[],
  wanted: Record<string, string>,
  message: string,
): void {
  const others = nodes.filter((node) => JSON.stringify(versionsOf(node)) !== JSON.stringify(wanted))
  check.same(Object.fromEntries(others.map((node) => [node.name, versionsOf(node)])), {}, message)
}

/** By name. */
function versionsOf({ machine }: TreeNode): Record<string, string | null> {
  return Object.fromEntries(machine.packages().map(({ name, version }) => [name, version]))
}

/** Names those that have another parent, or none. */
export function allAskParent(check: Check, nodes: readonly TreeNode[], parent: string | null, message: string): void {
  const others = nodes.flatMap(({ name, running }) => {
    const link = running?.state().link
    const now = link?.kind === 'connected' ? link.parent : null
    return now === parent ? [] : [[name, now]]
  })
  check.same(Object.fromEntries(others), {}, message)
}
