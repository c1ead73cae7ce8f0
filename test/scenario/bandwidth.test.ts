import { loadSettings, saveSettings } from '../../src/node/settings-file.ts'
import { type TreeNode, threeLevels } from '../world/tree.ts'
import { MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

const slowLimit = 25_000
const payloadBytes = 16 * MiB

await scenario('a link is spared by day and used by night, in local time', async (check, stage) => {
  const { simulation } = stage
  const zone = 'Asia/Kolkata'
  const clockAt = (aheadMs: number) =>
    Temporal.Instant.fromEpochMilliseconds(simulation.now() + aheadMs)
      .toZonedDateTimeISO(zone)
      .toPlainTime()
      .toString({ smallestUnit: 'minute' })
  const settings = {
    limitTimes: [{ from: clockAt(-30 * minuteMs), until: clockAt(30 * minuteMs), linkDownloadLimit: slowLimit }],
  }
  const tree = await stage.plant({
    nodes: threeLevels({ stagingServers: 1, clientsEach: 3, settings }),
    link: { bytesPerSecond: 6_250_000, latencyMs: 20 },
  })
  const staging = tree.node('staging-1')
  staging.simulated.setTimeZone(zone)
  await simulation.until(staging.stop())
  await simulation.until(staging.start())
  const nightAt = simulation.now() + 30 * minuteMs
  await tree.publish('tool', '1.0', { size: payloadBytes })
  await simulation.run({ forMs: nightAt - simulation.now() - 10 * minuteMs })
  const before = simulation.network.crossed('site-1').inBytes
  await tree.release({ tool: '1.0' })
  await simulation.run({ forMs: 5 * minuteMs })
  const byDay = simulation.network.crossed('site-1').inBytes - before
  check.ok(byDay < 5 * 60 * slowLimit + MiB, `${byDay} bytes in five minutes of the day`)
  check.ok(byDay > 5 * 60 * slowLimit - MiB, 'which is about what may pass')
  check.same(staging.running?.rates().link.download, slowLimit, 'the limit holds')
  const tookMs = await settles(check, tree, { withinMs: 10 * minuteMs })
  check.same(staging.running?.rates().link.download, null, 'by night there is none')
  check.ok(tookMs < 5.5 * minuteMs, `all had it ${tookMs} ms later, soon after the night began`)
})

await scenario('a limit that is lifted while a transfer runs lets it end at once', async (check, stage) => {
  const { simulation } = stage
  const settings = { linkDownloadLimit: '25kB/s' }
  const tree = await stage.plant({
    nodes: threeLevels({ stagingServers: 1, clientsEach: 2, settings }),
    link: { bytesPerSecond: 6_250_000, latencyMs: 20 },
  })
  const staging = tree.node('staging-1')
  await tree.publish('tool', '1.0', { size: payloadBytes })
  await tree.release({ tool: '1.0' })
  await simulation.run({ forMs: 2 * minuteMs })
  const have = haveOf(staging)
  check.ok(have > 0 && have < 2 * 60 * slowLimit + MiB, `${have} bytes are here after two minutes`)
  const { disk } = staging.simulated.world
  const { running } = staging
  const { linkDownloadLimit: _, ...others } = await simulation.until(loadSettings(disk, staging.home.settings))
  await simulation.until(saveSettings(disk, staging.home.settings, { ...others, downloadLimit: '5MB/s' }))
  const reloaded = await simulation.until(running?.reload() ?? Promise.reject(new Error('it is down')))
  check.same(reloaded.changed, ['downloadLimit', 'linkDownloadLimit'], 'it says what it took on')
  await settles(check, tree, { withinMs: minuteMs })
})

await tellTap()

function haveOf({ running }: TreeNode): number {
  return running?.swarm.transfers().find(({ name }) => name === 'tool')?.have ?? 0
}
