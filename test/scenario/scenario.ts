// A scenario: a whole tree on the simulated clock and network, the same for the same seed.

import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { createSimulation, type Simulation } from '../world/simulation.ts'
import { plantTree, type Tree, type TreeNode, type TreeSpec } from '../world/tree.ts'

export interface Stage {
  seed: string
  simulation: Simulation
  plant(spec: TreeSpec): Promise<Tree>
}

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs
export const MiB = 2 ** 20

/** In real time, on a machine that has other things to do as well. */
const tooLongMs = 300_000

/** `BANYAN_SEED=...` in the environment replays another course of events than the usual one. */
export function scenario(t: Test, sentence: string, body: (t: Test, stage: Stage) => Promise<void>, part = ''): void {
  const usual = createHash('sha256').update(`${sentence} ${part}`).digest('hex').slice(0, 8)
  const seed = process.env['BANYAN_SEED'] ?? usual
  t.setTimeout(tooLongMs)
  t.test(part === '' ? sentence : `${sentence} (${part})`, async (t) => {
    t.comment(`BANYAN_SEED=${seed}`)
    const simulation = createSimulation({ seed, logLevel: 'info' })
    const planted: Tree[] = []
    await body(t, {
      seed,
      simulation,
      plant: async (spec) => {
        const tree = await plantTree(simulation, spec)
        planted.push(tree)
        return tree
      },
    })
    for (const tree of planted) t.same(tree.promises.broken(), [], `no promise was broken, seed ${seed}`)
  })
}

/** Converges and looks whether everything fits together. */
export async function settles(t: Test, tree: Tree, options?: { withinMs?: number; stepMs?: number }): Promise<number> {
  const tookMs = await tree.converge(options)
  const { running } = tree.root
  if (running === undefined) throw new Error('the root is down')
  t.same(await tree.promises.inconsistent(tree.nodes, running), [], 'machines, outcomes and reports say the same')
  return tookMs
}

export function versionsOf(node: TreeNode): Record<string, string> {
  return Object.fromEntries(node.machine.packages().map(({ name, version }) => [name, version]))
}
