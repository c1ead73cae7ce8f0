// Disks that change what lies on them.

import { createHash } from 'node:crypto'
import { pieceLengthFor } from '../../src/repository/metainfo.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { type Tree, type TreeNode, threeLevels } from '../world/tree.ts'
import { type Check, hourMs, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

const scrub = '1h'

await scenario(
  'ten bytes flipped anywhere in the stores of a tree, whole payloads and unfinished ones, all heal by themselves',
  async (check, stage) => {
    const { simulation } = stage
    const random = seededRandom(stage.seed)
    const draw = (count: number) => Math.floor(random.fraction() * count)
    const tree = await stage.plant({
      root: { settings: { scrub } },
      nodes: threeLevels({ stagingServers: 1, clientsEach: 1, settings: { scrub } }),
      link: { bytesPerSecond: MiB / 8 },
    })
    for (const name of ['tool', 'shop']) await tree.publish(name, '1.0', { size: 6 * MiB })
    await tree.release({ tool: '1.0', shop: '1.0' })
    await settles(check, tree)
    await tree.publish('globe', '1.0', { size: 8 * MiB })
    await tree.release({ tool: '1.0', shop: '1.0', globe: '1.0' })
    const isPart = ({ path, bytes }: { path: string; bytes: number }) => path.endsWith('.part') && bytes > MiB
    while (!tree.nodes.slice(1).every((node) => node.stored().some(isPart))) await simulation.run({ forMs: 1000 })
    for (const node of tree.nodes) await simulation.until(node.stop())
    const missing = tree.nodes.slice(1).reduce((sum, node) => {
      return sum + 8 * MiB - (node.stored().find(isPart)?.bytes ?? 8 * MiB)
    }, 0)
    const flips: string[] = []
    for (let count = 0; count < 10; count += 1) {
      const node = tree.nodes[count % tree.nodes.length] as TreeNode
      // The root has the only whole copy of what still comes in.
      const files = node.stored().filter(({ bytes }) => bytes > 0 && !(node === tree.root && bytes === 8 * MiB))
      const file = count < 2 ? (files.find(isPart) ?? files[0]) : files[draw(files.length)]
      if (file === undefined) continue
      const at = draw(file.bytes)
      node.rot(file.path, at)
      flips.push(`${node.name} ${file.path.slice(-12)} at ${at}`)
    }
    check.comment(flips.join(', '))
    for (const node of tree.nodes) await simulation.until(node.start())
    await settles(check, tree, { withinMs: hourMs })
    await simulation.run({ forMs: 3 * hourMs })
    await allWell(check, tree)
    const again = tree.nodes.reduce((sum, node) => sum + fetchedBy(node), 0) - missing
    check.ok(again > 0 && again <= 10 * 2 * pieceLengthFor(8 * MiB), `${again} bytes were fetched again`)
    check.ok(
      tree.nodes.some(({ running }) => running?.state().problems.disk !== undefined),
      'the disks are told of',
    )
  },
)

await scenario(
  'a staging server with a byte flipped gives its children the payload all the same',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({
      nodes: [
        { name: 'staging-1', site: 'site-1', parents: ['root'], settings: { scrub: 'off' } },
        { name: 'client-1-1', site: 'site-1', parents: ['staging-1'], settings: { scrub: 'off' } },
      ],
    })
    await tree.publish('tool', '1.0', { size: 6 * MiB })
    const client = tree.node('client-1-1')
    await simulation.until(client.stop())
    await tree.release({ tool: '1.0' })
    const staging = tree.node('staging-1')
    while ((staging.running?.swarm.whole().size ?? 0) === 0) await simulation.run({ forMs: 1000 })
    await simulation.run({ forMs: minuteMs })
    staging.rot(staging.stored()[0]?.path ?? '', 3 * MiB)
    await simulation.until(client.start())
    const tookMs = await settles(check, tree, { withinMs: 10 * minuteMs })
    check.ok(tookMs < 3 * minuteMs, `${tookMs} ms`)
    await allWell(check, tree)
    check.ok(/^disk: 1 piece .* tool 1.0/.test(staging.running?.state().problems.disk ?? ''), 'its disk is told of')
  },
)

await scenario(
  'a root repairs its payloads from its children, and says so at the next release',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({
      root: { settings: { scrub } },
      nodes: threeLevels({ stagingServers: 1, clientsEach: 1 }),
    })
    await tree.publish('tool', '1.0', { size: 6 * MiB })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    const client = tree.node('client-1-1')
    const staging = tree.node('staging-1')
    for (const node of [client, staging]) await simulation.until(node.stop())
    tree.root.rot(tree.root.stored()[0]?.path ?? '', MiB)
    while (tree.root.running?.swarm.scrubbed().mending.length !== 1) await simulation.run({ forMs: minuteMs })
    const options = { message: '', allowRemovals: true, onStep: () => {} }
    const released = tree.root.running?.releasing?.release(options) ?? Promise.reject(new Error('it is down'))
    const { warnings } = await simulation.until(released)
    const warning = 'tool 1.0: the disk of this root has damaged 1 piece, which its children are asked for'
    check.ok(warnings.includes(warning), `the release says so: ${warnings}`)
    for (const node of [staging, client]) await simulation.until(node.start())
    await simulation.run({ forMs: 3 * hourMs })
    await allWell(check, tree)
  },
)

await scenario('an apply whose payload the disk has damaged gets it again before it fails', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({
    nodes: [{ name: 'client', site: 'site-1', parents: ['root'], settings: { scrub: 'off' } }],
  })
  const window = 'windows:\n  later: { days: mon-sun, from: "12:00", until: "13:00" }'
  await tree.publish('tool', '1.0', { size: 6 * MiB })
  await tree.publish('note', '1.0', { size: 20_000 })
  await tree.release({ tool: '1.0', note: '1.0' }, { terms: ['window: later'], sections: [window] })
  const client = tree.node('client')
  while ((client.running?.swarm.whole().size ?? 0) === 0) await simulation.run({ forMs: 1000 })
  await simulation.run({ forMs: minuteMs })
  check.same(client.machine.packages(), [], 'it waits for its window')
  client.rot(client.stored()[0]?.path ?? '', 4 * MiB)
  await settles(check, tree, { withinMs: 26 * hourMs, stepMs: minuteMs })
  await allWell(check, tree)
  check.same(client.running?.state().quarantine, [], 'no package has failed')
})

await tellTap()

/** Everything in the stores is what was published, and nobody has told of an attack. */
async function allWell(check: Check, tree: Tree): Promise<void> {
  for (const node of tree.nodes) {
    const whole = node.stored().filter(({ path }) => !path.endsWith('.part'))
    const wrong = whole.filter(({ path }) => sha256At(node, path) !== path.split('/').at(-1))
    check.same(wrong, [], `${node.name} has everything as it was signed`)
    check.same(node.stored().length, whole.length, 'and all of it')
    check.same(node.running?.state().attacks, [], 'and tells of no attack')
  }
}

function sha256At(node: TreeNode, path: string): string {
  return createHash('sha256').update(node.content(path)).digest('hex')
}

/** Since its daemon started. */
function fetchedBy({ running }: TreeNode): number {
  const { fromParent = 0, fromSiblings = 0 } = running?.swarm.moved() ?? {}
  return fromParent + fromSiblings
}
