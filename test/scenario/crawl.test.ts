// Links so thin that a small payload takes minutes.

import type { Planting } from '../world/tree.ts'
import { allHave, hourMs, scenario, settles, tellTap } from './scenario.ts'

const KiB = 1024

await scenario('a small payload reaches an open site of six over 128 kbit/s', async (check, stage) => {
  const bytesPerSecond = 16 * KiB
  const tree = await stage.plant({ nodes: openSite(6), link: { bytesPerSecond, latencyMs: 40 } })
  const size = 880 * KiB
  await tree.publish('tool', '1.0', { size })
  const crossed = () => stage.simulation.network.crossed('site-1').inBytes
  const before = crossed()
  await tree.release({ tool: '1.0' })
  const tookMs = await settles(check, tree, { withinMs: hourMs })
  allHave(check, tree.nodes, { tool: '1.0' }, 'all have it')
  const copies = (crossed() - before) / size
  check.ok(copies < 6.5, `${copies.toFixed(2)} copies: each fetches it once for itself, and nothing twice`)
  check.comment(`${tookMs / 1000} s, one copy takes ${size / bytesPerSecond} s`)
})

await tellTap()

/** Children of the root at one site, without a staging server. */
function openSite(count: number): Planting[] {
  return Array.from({ length: count }, (_, index) => ({ name: `node-${index + 1}`, site: 'site-1', parents: ['root'] }))
}
