import { loadSettings, saveSettings } from '../../src/node/setup/settings-file.ts'
import { type TreeNode, threeLevels } from '../world/tree.ts'
import { allHave, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario(
  'a disk with a quota keeps what the last revisions name, and says what does not fit',
  async (check, stage) => {
    const { simulation } = stage
    const settings = { storeQuota: '20MiB' }
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2, settings }) })
    const staging = tree.node('staging-1')
    const revisions: string[] = []
    for (const version of ['1.0', '2.0', '3.0', '4.0', '5.0']) {
      await tree.publish('tool', version, { size: 6 * MiB })
      await tree.release({ tool: version })
      await settles(check, tree)
      revisions.push(staging.running?.state().trusted?.revision?.sha256 ?? '')
    }
    for (const node of [staging, tree.node('client-1-1')]) {
      check.same(versionsAt(node), ['3.0', '4.0', '5.0'], `${node.name} keeps those of the last three revisions`)
      const objects = await simulation.until(node.simulated.world.disk.list(node.home.objects))
      const kept = revisions.map((revision) => objects.includes(revision))
      check.same(kept, [false, false, true, true, true], `and the small objects of these`)
    }
    check.same(versionsAt(tree.root).length, 5, 'the root keeps its repository')

    await tree.publish('atlas', '1.0', { size: 12 * MiB })
    await tree.publish('notes', '1.0', { size: 2 * MiB })
    await tree.release({ tool: '5.0', atlas: '1.0', notes: '1.0' })
    await simulation.run({ forMs: 5 * minuteMs })
    const problems = staging.running?.state().problems.room ?? ''
    check.ok(
      /no room for atlas 1.0, wanted by this node: it needs 12582912 bytes, \d+ are kept, and storeQuota is 20971520/.test(
        problems,
      ),
      problems,
    )
    check.ok(
      staging.machine.packages().some(({ name }) => name === 'notes'),
      'what fits goes on',
    )
    check.same(tree.root.running?.inbox.knowledgeOf('staging-1')?.problems, 1, 'the root knows of it')

    for (const node of [staging, ...tree.below('staging-1')]) {
      const { disk } = node.simulated.world
      const read = await simulation.until(loadSettings(disk, node.home.settings))
      await simulation.until(saveSettings(disk, node.home.settings, { ...read, storeQuota: '40MiB' }))
      await simulation.until(node.running?.reload() ?? Promise.reject(new Error('it is down')))
    }
    await settles(check, tree, { withinMs: 2 * minuteMs })
    allHave(check, tree.nodes, { atlas: '1.0', notes: '1.0', tool: '5.0' }, 'all have it once there is room')
    check.same(staging.running?.state().problems.room, undefined, 'and nothing is wrong any more')
  },
)

await scenario('what is pinned stays, whatever the policy forgets', async (check, stage) => {
  const tree = await stage.plant({
    nodes: [{ name: 'keeper', site: 'site-1', parents: ['root'], settings: { storeQuota: '13MiB', pins: ['tool'] } }],
  })
  await tree.publish('tool', '1.0', { size: 4 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  for (const version of ['1.0', '2.0', '3.0', '4.0']) {
    await tree.publish('other', version, { size: 2 * MiB })
    await tree.release({ other: version })
    await settles(check, tree)
  }
  const keeper = tree.node('keeper')
  const names = keeper.running?.swarm.stored().map(({ name, version }) => `${name} ${version}`)
  check.ok(names?.includes('tool 1.0') === true, `${names}`)
})

await scenario(
  'a disk that runs full keeps its reserve, and goes on when there is room again',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({
      nodes: [{ name: 'small', site: 'site-1', parents: ['root'], settings: { diskReserve: '10MiB' } }],
    })
    await tree.publish('tool', '1.0', { size: 4 * MiB })
    const small = tree.node('small')
    small.simulated.storage.fill(12 * MiB)
    await tree.release({ tool: '1.0' })
    await simulation.run({ forMs: 3 * minuteMs })
    check.ok(
      /12582912|bytes free, of which 10485760 stay free/.test(small.running?.state().problems.room ?? ''),
      'it says so',
    )
    check.same(small.running?.swarm.transfers(), [], 'nothing was begun')
    small.simulated.storage.fill(100 * MiB)
    await settles(check, tree, { withinMs: 3 * minuteMs })
  },
)

await tellTap()

function versionsAt({ running }: TreeNode): string[] {
  const stored = running?.swarm.stored() ?? []
  return stored.flatMap(({ name, version }) => (name === 'tool' ? [version] : [])).sort()
}
