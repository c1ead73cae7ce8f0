import { limits } from '../../src/model/limits.ts'
import { threeLevels } from '../world/tree.ts'
import { allHave, hourMs, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario('a package that fails is tried ever less, and all else goes on', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 3 }) })
  for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: MiB })
  await tree.publish('notes', '1.0', { size: 100_000 })
  await tree.publish('notes', '2.0', { size: 100_000 })
  await tree.release({ tool: '1.0', notes: '1.0' })
  await settles(check, tree)

  const sick = tree.node('client-1-1')
  const tries: number[] = []
  sick.machine.breakPackage('tool')
  sick.machine.onInstall(({ name, version }) => name === 'tool' && version === '2.0' && tries.push(simulation.now()))
  await tree.release({ tool: '2.0', notes: '2.0' })
  await simulation.run({ forMs: 12 * hourMs })
  const versions = () => sick.machine.packages().map(({ name, version }) => `${name} ${version}`)
  check.same(versions(), ['notes 2.0', 'tool 1.0'], 'the version before is in its place again, the other one is new')
  const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
  check.comment(`tried after ${waits.map((ms) => `${Math.round(ms / minuteMs)} min`).join(', ')}`)
  check.ok(tries.length >= 6 && tries.length <= 11, `${tries.length} tries in 12 hours`)
  check.ok(Math.max(...waits) <= limits.quarantineCeilingMs + limits.checkIntervalMs, 'and never given up')
  const report = await simulation.until(tree.root.running?.inbox.report(sick.name) ?? Promise.resolve(undefined))
  const told = report?.packages.find(({ name }) => name === 'tool')
  check.match(
    told,
    { outcome: 'failed', version: '1.0', quarantine: { failures: tries.length } },
    'the root knows all that',
  )

  const before = tries.length
  for (const _ of [1, 2, 3]) {
    await sick.stop()
    await sick.start()
    await simulation.run({ forMs: minuteMs })
  }
  check.same(tries.length, before, 'a restart is no reason to try again')

  sick.machine.mendPackage('tool')
  await tree.release({ tool: '3.0', notes: '2.0' })
  const tookMs = await settles(check, tree)
  check.ok(tookMs < limits.quarantineFirstMs / 2, `another version was tried at once, after ${tookMs} ms`)
  allHave(check, tree.nodes, { notes: '2.0', tool: '3.0' }, 'and all have it')
})

await tellTap()
