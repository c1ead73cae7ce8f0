// A random walk: whatever can happen to a tree happens, in an order that follows from the seed, and
// then all is healed.

import { Failure } from '../../src/model/failure.ts'
import type { Random } from '../../src/world/world.ts'
import { seededRandom } from '../world/seeded-random.ts'
import type { Simulation } from '../world/simulation.ts'
import type { Policy, Tree, TreeNode } from '../world/tree.ts'
import { MiB } from './scenario.ts'

export interface Walk {
  /** One thing happens, and then some time passes. Tells what it was. */
  step(): Promise<string>
  /** Everything is mended, started, and right again. */
  heal(): Promise<void>
}

const packages = [
  { name: 'base', size: 60_000 },
  { name: 'big', size: 4 * MiB },
  { name: 'shop', size: 1.5 * MiB },
]
const versions = ['1.0', '2.0', '3.0']

/** Publishes what the releases of the walk choose from. */
export async function beginWalk(simulation: Simulation, tree: Tree): Promise<Walk> {
  const random = seededRandom(`${simulation.seed}/walk`)
  const cuts = new Set<string>()
  /** Whether a release failed, so that nobody here knows what is signed. */
  let isUnsure = false
  const sites = [...new Set(tree.nodes.map(({ simulated }) => simulated.site))].filter((site) => site !== 'main')
  for (const { name, size } of packages) for (const version of versions) await tree.publish(name, version, { size })

  const some = (nodes: readonly TreeNode[]): TreeNode => drawn(random, nodes)
  const isUp = ({ running }: TreeNode) => running !== undefined

  /** How often each is in the bag that is drawn from. */
  const happenings: [weight: number, happen: () => Promise<string> | string][] = [
    [
      3,
      async () => {
        if (!isUp(tree.root)) return 'no release: the root is down'
        const policy: Policy = {}
        for (const { name } of packages) {
          if (random.fraction() < 0.8) policy[name] = drawn(random, versions)
        }
        try {
          return `release ${await tree.release(policy)}: ${JSON.stringify(policy)}`
        } catch (error) {
          if (!(error instanceof Failure)) throw error
          isUnsure = true
          return `a release was refused: ${error.message}`
        }
      },
    ],
    [
      2,
      () => {
        const what = random.fraction() < 0.5 ? drawn(random, sites) : some(tree.nodes).simulated.address
        cuts.add(what)
        simulation.network.cut(what)
        return `cut ${what}`
      },
    ],
    [
      3,
      () => {
        const [what] = cuts
        if (what === undefined) return 'nothing to mend'
        cuts.delete(what)
        simulation.network.mend(what)
        return `mend ${what}`
      },
    ],
    [
      3,
      () => {
        const node = some(tree.nodes)
        const power = random.fraction() < 0.5
        if (isUp(node)) node.crash({ power })
        return `${node.name} ${power ? 'loses its power' : 'is killed'}`
      },
    ],
    [
      5,
      async () => {
        const down = tree.nodes.filter((node) => !isUp(node))
        if (down.length === 0) return 'all are up'
        const node = some(down)
        try {
          await simulation.until(node.start())
          return `${node.name} starts`
        } catch (error) {
          // Its disk is full. Whatever runs it starts it again later.
          if (!(error instanceof Failure)) throw error
          node.crash()
          return `${node.name} cannot start: ${error.message}`
        }
      },
    ],
    [
      1,
      async () => {
        const node = some(tree.nodes)
        if (isUp(node)) await simulation.until(node.stop())
        return `${node.name} stops`
      },
    ],
    [
      1,
      () => {
        const node = some(tree.nodes)
        node.crashEngine()
        return `the engine of ${node.name} crashes`
      },
    ],
    [
      3,
      () => {
        const node = some(tree.nodes)
        const { name } = drawn(random, packages)
        const to = drawn(random, ['removed', 'damaged', { version: drawn(random, versions) }] as const)
        node.machine.change(name, to)
        return `${name} of ${node.name} is changed by hand: ${JSON.stringify(to)}`
      },
    ],
    [
      1,
      () => {
        const node = some(tree.nodes)
        const { name } = drawn(random, packages)
        node.machine.breakPackage(name)
        return `${name} does not want to be installed on ${node.name}`
      },
    ],
    [
      1,
      () => {
        const node = some(tree.nodes)
        const ms = random.fraction() < 0.5 ? 0 : 30
        node.simulated.storage.slowDown(ms)
        return `the disk of ${node.name} takes ${ms} ms`
      },
    ],
    [
      1,
      () => {
        const node = some(tree.nodes)
        const ms = Math.round((random.fraction() - 0.5) * 2 * 300_000)
        node.simulated.skewClock(ms)
        return `the clock of ${node.name} is off by ${ms} ms`
      },
    ],
    [
      1,
      () => {
        const node = some(tree.nodes)
        const freeBytes = random.fraction() < 0.5 ? 0 : Math.round(300_000 * random.fraction())
        node.simulated.storage.fill(freeBytes)
        return `the disk of ${node.name} has ${freeBytes} bytes left`
      },
    ],
    [
      2,
      () => {
        for (const { simulated } of tree.nodes) simulated.storage.freeUp()
        return 'all disks have room'
      },
    ],
  ]
  const bag = happenings.flatMap(([weight, happen]) => Array.from({ length: weight }, () => happen))

  return {
    async step() {
      const what = await drawn(random, bag)()
      // Mostly things come close together, sometimes there is time to settle.
      const restMs = random.fraction() < 0.8 ? 8_000 * random.fraction() : 200_000 * random.fraction()
      await simulation.run({ forMs: Math.round(restMs) })
      return what
    },
    async heal() {
      for (const cut of cuts) simulation.network.mend(cut)
      for (const node of tree.nodes) {
        const { machine, simulated } = node
        simulated.storage.slowDown(0)
        simulated.storage.freeUp()
        simulated.skewClock(0)
        for (const { name } of packages) machine.mendPackage(name)
        if (!isUp(node)) await simulation.until(node.start())
      }
      if (isUnsure) await tree.release({ base: '1.0', shop: '2.0' })
    },
  }
}

function drawn<T>(random: Pick<Random, 'fraction'>, list: readonly T[]): T {
  const one = list[Math.floor(random.fraction() * list.length)]
  if (one === undefined) throw new RangeError('nothing to draw from')
  return one
}
