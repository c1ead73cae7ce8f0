// A stolen node's certificate, in the hands of a program that says to the tracker what is not so.

import { Failure } from '../../src/model/failure.ts'
import { parseManifest } from '../../src/model/manifest.ts'
import type { InfoHash, Sha256 } from '../../src/model/names.ts'
import type { Announce } from '../../src/model/wire/announce.ts'
import { packed, setDigest } from '../../src/model/wire/packed.ts'
import { loadIdentity } from '../../src/trust/identity.ts'
import type { Planting, Tree, TreeNode } from '../world/tree.ts'
import { MiB, minuteMs, type Stage, scenario, settles, tellTap } from './scenario.ts'

const payloadBytes = 16 * MiB
/** 8 Mbit/s. */
const link = { bytesPerSecond: 1_000_000, latencyMs: 20 }
const trunk = { bytesPerSecond: 125_000_000, latencyMs: 0 }

type Swarm = Announce['swarms'][number]
interface Named {
  infoHash: InfoHash
  manifest: Sha256
}
/** What the liar announces, four times in a second. */
type Lie = (tool: Named, tick: number) => Partial<Announce>

const saying = (tool: Named, have: Swarm['have']): Partial<Announce> => ({ swarms: [{ ...tool, have }] })
const lies: [string, Lie][] = [
  ['that it has nothing and everything in turn', (tool, tick) => saying(tool, tick % 2 === 0 ? 'none' : 'all')],
  ['everything and nothing by turns of four seconds', (tool, tick) => saying(tool, tick & 16 ? 'none' : 'all')],
  ['that it has everything', (tool) => saying(tool, 'all')],
  ['that it gets on well', (tool, tick) => ({ swarms: [{ ...tool, have: 'some', bytes: (tick * MiB) / 4 }] })],
  [
    'that it has 60,000 payloads, and everything',
    (tool, tick) => ({ ...saying(tool, 'all'), ...(tick < 3 && { whole: manyWholes(tick + 1) }) }),
  ],
]

await scenario('a site is as quick beside a node that tells its tracker false words', async (check, stage) => {
  const tree = await stage.plant({ nodes: openSite('oslo', 6), link })
  stage.simulation.network.link('main', trunk)
  const liar = await stolen(stage, tree, 'oslo-1')
  const quietMs = await released(stage, tree, liar, '1.0')
  check.comment(`without a lie the site had it after ${Math.round(quietMs)} ms`)
  for (const [index, [what, lie]] of lies.entries()) {
    const before = stage.simulation.network.crossed('oslo').inBytes
    const tookMs = await released(stage, tree, liar, `2.${index}`, lie)
    const copies = (stage.simulation.network.crossed('oslo').inBytes - before) / payloadBytes
    check.comment(`${what}: ${Math.round(tookMs)} ms, ${copies.toFixed(3)} copies`)
    check.ok(tookMs <= quietMs * 1.2, `beside who says ${what}: ${tookMs} ms, ${quietMs} without`)
    // 60,000 info hashes cross the link too, and hold up the others.
    check.ok(copies < 1.15, `and ${copies} copies came over the link`)
  }
  const lines = tree.root.simulated.lines.filter((line) => line.includes('word not kept'))
  check.ok(lines.length > 0 && lines.length < 20, `the parent has ${lines.length} lines about it in its log`)
  const told = tree.root.running?.state().problems.children ?? ''
  check.ok(told.startsWith('children whose word does not hold: oslo-1 sa'), `the parent tells of it: ${told}`)
  const honest = tree.below('root').filter(({ name }) => name !== 'oslo-1' && told.includes(name))
  check.same(
    honest.map(({ name }) => name),
    [],
    'and of nobody else',
  )
})

await scenario('a node that claims 60,000 payloads takes nobody’s place in the table', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: openSite('oslo', 5), link })
  const liar = await stolen(stage, tree, 'oslo-1')
  for (const part of [1, 2, 3]) await liar.announce({ whole: manyWholes(part) })
  const late = tree.node('oslo-5')
  await simulation.until(late.stop())
  await tree.publish('tool', '1.0', { size: payloadBytes })
  await tree.release({ tool: '1.0' })
  const others = tree.below('root').filter(({ name }) => name !== 'oslo-1' && name !== late.name)
  await simulation.until(() => others.every((node) => isWhole(node, '1.0')))
  await simulation.run({ forMs: minuteMs })
  await simulation.until(late.start())
  await simulation.until(() => isWhole(late, '1.0'), { withinMs: 5 * minuteMs })
  check.same(transferOf(late, '1.0')?.fromParent, 0, 'who comes late still learns which sibling has it')
  check.ok(
    /oslo-1 says that it has more than/.test(tree.root.running?.state().problems.children ?? ''),
    'and the parent tells of the claim',
  )
})

await scenario('a parent fetches nothing for a child that the policy does not give it', async (check, stage) => {
  const { simulation } = stage
  const nodes: Planting[] = [
    { name: 'staging', site: 'oslo', parents: ['root'] },
    ...['a', 'b', 'c'].map((name) => ({ name, site: 'oslo', parents: ['staging'] })),
  ]
  const tree = await stage.plant({ nodes, link })
  await tree.publish('tool', '1.0', { size: MiB })
  await tree.publish('extra', '1.0', { size: payloadBytes })
  const elsewhere = '  - nodes: [elsewhere]\n    packages:\n      extra: 1.0\ngroups:\n  elsewhere: { site: rome }'
  await tree.release({ tool: '1.0' }, { sections: [elsewhere] })
  await settles(check, tree, { withinMs: 5 * minuteMs })
  const liar = await stolen(stage, tree, 'a')
  const extra = await named(stage, tree, 'extra')
  const before = simulation.network.crossed('oslo').inBytes
  for (let second = 0; second < 60; second += 1) {
    await liar.announce(saying(extra, 'none'))
    await simulation.run({ forMs: 1000 })
  }
  const bytes = simulation.network.crossed('oslo').inBytes - before
  check.ok(bytes < MiB / 2, `${bytes} bytes came over the link`)
  const told = tree.node('staging').running?.state().problems.children ?? ''
  check.ok(/^children whose word does not hold: a asks for/.test(told), `the staging server tells of it: ${told}`)
})

await tellTap()

function openSite(site: string, count: number): Planting[] {
  return Array.from({ length: count }, (_, index) => ({ name: `${site}-${index + 1}`, site, parents: ['root'] }))
}

interface Liar {
  node: TreeNode
  announce(announce: Partial<Announce>): Promise<void>
}

/** Stops the node and takes its keys. */
async function stolen({ simulation }: Stage, tree: Tree, name: string): Promise<Liar> {
  const node = tree.node(name)
  await simulation.until(node.stop())
  const world = node.simulated.restart()
  const { tls } = await simulation.until(loadIdentity(node.home.keys, world.disk))
  node.pose(tls)
  const parent = tree.nodes.find((each) => tree.below(each.name).includes(node))
  const url = `https://${parent?.simulated.address}:7420`
  const announce = async (said: Partial<Announce>) => {
    const body = JSON.stringify({ swarmPort: 7421, site: 'oslo', swarms: [], ...said })
    const call = { url, path: '/v1/announce', method: 'POST' as const, body, tls }
    const asked = world.http.request({ ...call, timeoutMs: minuteMs, responseMaxBytes: 16 * MiB })
    const { status } = await simulation.until(asked)
    if (status !== 200) throw new Failure('refused', `the announce was answered with ${status}`)
  }
  return { node, announce }
}

/** How long the honest nodes of the site take for a new version, from the release on. */
async function released(stage: Stage, tree: Tree, liar: Liar, version: string, lie?: Lie): Promise<number> {
  await tree.publish('tool', version, { size: payloadBytes })
  const { simulation } = stage
  const honest = tree.below('root').filter((node) => node !== liar.node)
  await tree.release({ tool: version })
  const began = simulation.now()
  const tool = await named(stage, tree, 'tool')
  if (lie !== undefined) await liar.announce(lie(tool, 0))
  const isOver = () => honest.every((node) => isWhole(node, version))
  let tick = 1
  const passes = async () => {
    if (lie !== undefined) await liar.announce(lie(tool, tick))
    await simulation.run({ forMs: 1000 / 4 })
    tick += 1
  }
  while (!isOver() && simulation.now() - began < 3 * minuteMs) await passes()
  const transfers = honest.map((node) => transferOf(node, version))
  if (!isOver()) return Number.POSITIVE_INFINITY
  const startedAt = Math.min(...transfers.map((transfer) => transfer?.startedAt ?? began))
  return Math.max(...transfers.map((transfer) => transfer?.completedAt ?? 0)) - startedAt
}

/** What the signed revision says of a package. */
async function named({ simulation }: Stage, { root }: Tree, name: string): Promise<Named> {
  const rules = root.running?.state().revision?.body.rules ?? []
  const wanted = rules.map(({ packages }) => packages[name]).find((each) => each?.state === 'present')
  const manifest = wanted?.builds.all?.manifest ?? ''
  const bytes = await simulation.until(root.simulated.world.disk.read(`${root.home.objects}/${manifest}`))
  const { payload } = parseManifest(JSON.parse(Buffer.from(bytes).toString()), name)
  if (payload.via !== 'swarm') throw new Error(`${name} is too small`)
  return { infoHash: payload.infoHash, manifest }
}

/** 20,000 info hashes that nobody else has. */
function manyWholes(part: number): NonNullable<Announce['whole']> {
  const from = (part - 1) * 20_000
  const hashes = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => (first + index + 1).toString(16).padStart(40, 'f'))
  const digest = setDigest(hashes(0, from + 20_000))
  return { digest, listed: part === 1 ? 'all' : 'changes', infoHashes: packed(hashes(from, 20_000)), gone: packed([]) }
}

function transferOf({ running }: TreeNode, version: string) {
  return running?.swarm.transfers().find((each) => each.name === 'tool' && each.version === version)
}

function isWhole(node: TreeNode, version: string): boolean {
  return transferOf(node, version)?.state === 'complete'
}
