// Links so thin that a small payload takes minutes.

import { isLarge } from '../large.ts'
import type { Planting, TreeSpec } from '../world/tree.ts'
import { allHave, type Check, hourMs, MiB, minuteMs, type Stage, scenario, settles, tellTap } from './scenario.ts'

const KiB = 1024

await scenario('a small payload crosses a link of 128 kbit/s once for an open site of six', async (check, stage) => {
  await crawls(check, stage, { nodes: 6, bytesPerSecond: 16 * KiB, sizes: [880 * KiB], copies: 1.15, times: 1.5 })
})

await scenario('twenty nodes behind 32 kbit/s get a small payload', async (check, stage) => {
  await crawls(check, stage, { nodes: 20, bytesPerSecond: 4 * KiB, sizes: [880 * KiB], copies: 1.5, times: 1.6 })
})

await scenario('many small payloads cross the link of an open site once', async (check, stage) => {
  const [count, nodes] = isLarge ? [50, 20] : [10, 8]
  const sizes = Array.from({ length: count }, (_, index) => (20 + ((index * 37) % 50) * 17) * KiB)
  await crawls(check, stage, { nodes, bytesPerSecond: 32 * KiB, sizes, copies: 1.1, times: 1.5 })
})

await scenario('a site goes on when the sibling that brings its objects is gone', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: openSite(4), link: { bytesPerSecond: 16 * KiB, latencyMs: 40 } })
  await tree.publish('tool', '1.0', { size: 880 * KiB })
  await simulation.run({ forMs: 2 * minuteMs })
  await tree.release({ tool: '1.0' })
  await simulation.run({ forMs: minuteMs / 2 })
  // It was the first to announce.
  const gateway = tree.node('node-1')
  gateway.crash({ power: true })
  await simulation.run({ forMs: 5 * minuteMs })
  allHave(check, tree.nodes.slice(2), { tool: '1.0' }, 'the others have it')
  await gateway.start()
  await settles(check, tree, { withinMs: hourMs })
})

await scenario(
  'two siblings that bring objects are gone, one after the other, and the site goes on with a third',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: openSite(10), link: { bytesPerSecond: 16 * KiB, latencyMs: 40 } })
    const names = Array.from({ length: 12 }, (_, index) => `tool-${index + 10}`)
    for (const name of names) await tree.publish(name, '1.0', { size: 90 * KiB })
    await simulation.run({ forMs: 2 * minuteMs })
    const askers: string[] = []
    let bytes = 0
    simulation.onRequest(({ path, from, to, responseBytes }) => {
      if (!path.startsWith('/v1/objects/') || to !== tree.root.simulated.address) return
      askers.push(from)
      bytes += responseBytes
    })
    await tree.release(Object.fromEntries(names.map((name) => [name, '1.0'])))
    for (const _ of [1, 2]) {
      const before = bytes
      await simulation.until(() => bytes > before + 2 * 90 * KiB, { withinMs: hourMs })
      tree.nodes.find(({ simulated }) => simulated.address === askers.at(-1))?.crash({ power: true })
    }
    const alive = tree.nodes.slice(1).filter(({ running }) => running !== undefined)
    check.same(alive.length, 8, 'two are gone')
    await simulation.run({ forMs: 6 * minuteMs })
    allHave(check, alive, Object.fromEntries(names.map((name) => [name, '1.0'])), 'the others have all')
    const copies = bytes / (names.length * 90 * KiB)
    check.ok(copies <= 1.6, `${copies.toFixed(2)} copies`)
  },
)

await tellTap()

/** All of these payloads reach all nodes of the site, in so many copies and times of the ideal. */
async function crawls(
  check: Check,
  stage: Stage,
  is: { nodes: number; bytesPerSecond: number; sizes: number[]; copies: number; times: number },
): Promise<void> {
  const { simulation } = stage
  const link: TreeSpec['link'] = { bytesPerSecond: is.bytesPerSecond, latencyMs: 40 }
  const tree = await stage.plant({ nodes: openSite(is.nodes), link })
  const wanted: Record<string, string> = {}
  for (const [index, size] of is.sizes.entries()) {
    const name = `tool-${String(index).padStart(2, '0')}`
    wanted[name] = '1.0'
    await tree.publish(name, '1.0', { size })
  }
  // All have announced.
  await simulation.run({ forMs: 2 * minuteMs })
  let objectBytes = 0
  simulation.onRequest(({ path, to, responseBytes }) => {
    if (path.startsWith('/v1/objects/') && to === tree.root.simulated.address) objectBytes += responseBytes
  })
  const crossed = () => simulation.network.crossed('site-1').inBytes
  const crossedUp = () => simulation.network.crossed('site-1').outBytes
  const beforeUp = crossedUp()
  const before = crossed()
  await tree.release(wanted)
  const tookMs = await settles(check, tree, { withinMs: 12 * hourMs })
  allHave(check, tree.nodes, wanted, 'all have it')
  const bytes = is.sizes.reduce((sum, size) => sum + size, 0)
  const copies = (crossed() - before) / bytes
  const times = tookMs / ((bytes / is.bytesPerSecond) * 1000)
  check.ok(copies <= is.copies, `${copies.toFixed(3)} copies of ${(bytes / MiB).toFixed(1)} MiB`)
  check.ok(objectBytes <= 1.03 * bytes, `${(objectBytes / bytes).toFixed(3)} copies of them without all else`)
  const up = (crossedUp() - beforeUp) / bytes
  check.ok(up <= 0.5, `${up.toFixed(3)} of that went up: announces and reports`)
  check.ok(times <= is.times, `${times.toFixed(2)} times as long as one copy takes`)
}

/** Children of the root at one site, without a staging server. */
function openSite(count: number): Planting[] {
  return Array.from({ length: count }, (_, index) => ({ name: `node-${index + 1}`, site: 'site-1', parents: ['root'] }))
}
