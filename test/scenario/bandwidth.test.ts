import { loadSettings, saveSettings } from '../../src/node/setup/settings-file.ts'
import { type TreeNode, threeLevels } from '../world/tree.ts'
import { allHave, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

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

await scenario(
  'limits of the policy reach the nodes of a group with a release, and its own settings win',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 2, clientsEach: 2 }) })
    await tree.publish('tool', '1.0', { size: 3 * MiB })
    const own = tree.node('client-2-1')
    const { disk } = own.simulated.world
    const settings = await simulation.until(loadSettings(disk, own.home.settings))
    await simulation.until(saveSettings(disk, own.home.settings, { ...settings, uploadLimit: '9MB/s' }))
    await simulation.until(own.running?.reload() ?? Promise.reject(new Error('it is down')))

    const sections = [
      'groups: { second: { site: site-2 } }',
      'limits:',
      '  - { nodes: all, linkDownloadLimit: 5MB/s }',
      '  - { nodes: [second], uploadLimit: 3MB/s, storeQuota: 2MiB }',
    ]
    await tree.release({ tool: '1.0' }, { sections })
    await simulation.run({ forMs: minuteMs })
    const ratesOf = (name: string) => tree.node(name).running?.rates()
    check.match(ratesOf('client-1-1'), { upload: null, link: { download: 5_000_000 } }, 'all have the first')
    check.match(ratesOf('client-2-2'), { upload: 3_000_000, link: { download: 5_000_000 } }, 'the group has both')
    check.match(ratesOf('client-2-1'), { upload: 9_000_000, link: { download: 5_000_000 } }, 'settings win, key by key')
    const problem = tree.node('client-2-2').running?.state().problems.room ?? ''
    check.ok(/tool 1\.0/.test(problem), `a quota of the policy holds: ${problem}`)

    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    check.match(ratesOf('client-2-2'), { upload: null, link: { download: null } }, 'and they end with another release')
    allHave(check, tree.nodes, { tool: '1.0' }, 'then it fits')
  },
)

await tellTap()

function haveOf({ running }: TreeNode): number {
  return running?.swarm.transfers().find(({ name }) => name === 'tool')?.have ?? 0
}
