import { waveOf } from '../../src/model/rollouts.ts'
import { isLarge } from '../large.ts'
import { type Tree, threeLevels } from '../world/tree.ts'
import { allHave, minuteMs, scenario, settles, tellTap } from './scenario.ts'

const careful = {
  terms: ['rollout: careful'],
  sections: ['rollouts: { careful: { waves: [1%, 10%, 100%], soak: 1m, halt: { failed: 2% } } }'],
}
const seed = 'careful@2'
const waves = [1, 10, 100]
/** In both forms none of the nodes that fail is in the first wave, and several are in the second. */
const form = isLarge
  ? { count: 1000, text: '1,000', stagingServers: 9, clientsEach: 110 }
  : { count: 271, text: '271', stagingServers: 5, clientsEach: 53 }

await scenario(
  `of ${form.text} nodes no more than the second wave is touched by a package that fails on one of twenty`,
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels(form) })
    check.same(tree.nodes.length, form.count, 'all of them')
    for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: 2_000 })
    for (const [index, node] of tree.nodes.entries()) if (index % 20 === 0) node.machine.breakPackage('tool', '2.0')
    await tree.release({ tool: '1.0' })
    await settles(check, tree)

    const touched = new Set<string>()
    for (const node of tree.nodes) node.machine.onInstall(({ version }) => version !== '1.0' && touched.add(node.name))
    const inWaves = (count: number) => tree.nodes.filter(({ name }) => waveOf(name, { seed, waves }) < count)
    const [first, both] = [inWaves(1), inWaves(2)]
    check.comment(`${first.length} nodes in the first wave, ${both.length} in the first two`)

    await tree.release({ tool: '2.0' }, careful)
    await simulation.until(() => touched.size >= first.length)
    await simulation.run({ forMs: minuteMs })
    check.same([...touched].sort(), namesOf(first), 'at first only the first wave')
    await simulation.until(() => haltedIn(tree) !== undefined, { withinMs: 10 * minuteMs })
    const halted = haltedIn(tree) ?? ''
    check.comment(`halted ${halted}`)
    check.ok(
      /^\d+ of \d+ nodes failed: tool on [a-z0-9-]+, .*: tool does not want to be installed here/.test(halted),
      'it says why',
    )
    await simulation.run({ forMs: 2 * minuteMs })
    const outside = [...touched].filter((name) => !both.some((node) => node.name === name))
    check.same(outside, [], 'nobody outside the first two waves was touched')
    check.ok(touched.size <= both.length, `${touched.size} of at most ${both.length} nodes`)
    allHave(
      check,
      tree.nodes.filter(({ name }) => !touched.has(name)),
      { tool: '1.0' },
      'all others keep what they had',
    )
    const [info] = await simulation.until(tree.root.running?.rollouts?.list() ?? Promise.resolve([]))
    check.match(
      info,
      { name: seed, state: 'halted', open: 2, packages: [{ name: 'tool', versions: ['2.0'] }] },
      'the list',
    )
    check.ok((info?.failed.length ?? 0) >= 3, 'names the nodes that failed')

    const began = simulation.now()
    await tree.release({ tool: '3.0' }, careful)
    await simulation.run({ forMs: minuteMs })
    const others = [...touched].filter((name) => !both.some((node) => node.name === name))
    check.same(others, [], 'the version that mends it begins with the same nodes')
    await settles(check, tree, { withinMs: 20 * minuteMs, stepMs: 10_000 })
    check.comment(`everywhere ${Math.round((simulation.now() - began) / 1000)} s after its release`)
    const states = await simulation.until(tree.root.running?.rollouts?.list() ?? Promise.resolve([]))
    check.same(
      states.map(({ name, state }) => `${name} ${state}`),
      ['careful@3 out'],
      'the halted one is over',
    )
  },
)

await tellTap()

function namesOf(nodes: readonly { name: string }[]): string[] {
  return nodes.map(({ name }) => name).sort()
}

function haltedIn(tree: Tree): string | undefined {
  return tree.root.running?.state().rollouts?.states.find(({ halted }) => halted !== undefined)?.halted
}
