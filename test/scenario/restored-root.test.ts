// A root that is put back from a copy of before some releases: its children bring what came since.

import { limits } from '../../src/model/limits.ts'
import type { Platter } from '../world/simulated-disk.ts'
import type { Tree } from '../world/tree.ts'
import { hourMs, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario(
  'a recovered root takes revision, packages and payloads of later releases back from its children',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({
      nodes: [
        { name: 'staging', site: 'site-1', parents: ['root'] },
        { name: 'client', site: 'site-1', parents: ['staging'] },
      ],
    })
    const { root } = tree
    const releasing = () => root.running?.releasing ?? Promise.reject(new Error('the root is down'))
    await tree.publish('tool', '1.0', { size: 2 * MiB })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    const copy = copied(tree)

    await tree.publish('tool', '2.0', { size: 2 * MiB })
    await tree.publish('note', '1.0', { size: 20_000 })
    await tree.release({ tool: '2.0' })
    await tree.release({ tool: '2.0', note: '1.0' })
    await settles(check, tree)
    const before = tree.node('client').running?.state().revision?.body.number ?? 0
    await simulation.until(root.stop())
    putBack(tree, copy)
    await simulation.until(root.start())
    await simulation.run({ forMs: 3 * minuteMs })

    const { recover } = await simulation.until(Promise.resolve(releasing()))
    const recovered = await simulation.until(recover())
    check.match(
      recovered,
      { revision: before, takenBack: ['note 1.0', 'tool 2.0'], missing: [] },
      `everything is back: ${JSON.stringify(recovered)}`,
    )
    check.same(await simulation.until(recover()), null, 'and nothing is left to recover')
    await simulation.run({ forMs: hourMs })
    const payloads = root.stored().filter(({ bytes, path }) => bytes === 2 * MiB && !path.endsWith('.part'))
    check.same(payloads.length, 2, 'the payload of tool 2.0 came from the children')
    const { history } = await simulation.until(Promise.resolve(releasing()))
    const numbers = (await simulation.until(history())).map(({ number }) => number)
    check.same(numbers[0], before, `the newest revision is in force: ${numbers}`)

    await tree.publish('tool', '3.0', { size: 2 * MiB })
    const next = await tree.release({ tool: '3.0', note: '1.0' })
    check.ok((next ?? 0) > before, `revision ${next} comes after ${before}`)
    await settles(check, tree, { withinMs: hourMs })
  },
)

await scenario(
  'a small payload that the disk of the root has damaged comes back from a child when another asks for it',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({
      nodes: [
        { name: 'first', site: 'site-1', parents: ['root'] },
        { name: 'second', site: 'site-2', parents: ['root'] },
      ],
    })
    const second = tree.node('second')
    await tree.publish('note', '1.0', { size: 20_000 })
    await simulation.until(second.stop())
    await tree.release({ note: '1.0' })
    const has = () => tree.node('first').machine.packages().length > 0
    while (!has()) await simulation.run({ forMs: 1000 })
    await simulation.run({ forMs: minuteMs })
    const { entries } = tree.root.simulated.storage as Platter
    const [payload] = [...entries].filter(
      ([path, entry]) => isObject(path) && entry.kind === 'file' && entry.content.length === 20_000,
    )
    if (payload === undefined) throw new Error('no payload')
    tree.root.rot(payload[0], 10_000)
    await simulation.until(second.start())
    await settles(check, tree, { withinMs: 10 * minuteMs })
    check.same(second.running?.state().attacks, [], 'and nobody tells of an attack')
    await simulation.run({ forMs: limits.lostWaitMs })
    check.ok((entries.get(payload[0])?.kind ?? 'gone') === 'file', 'the root has it again')
  },
)

await tellTap()

function isObject(path: string): boolean {
  return /\/objects\/[0-9a-f]{64}$/.test(path)
}

interface Copy {
  entries: Platter['entries']
  stores: Platter['stores']
}

function copied({ root }: Tree): Copy {
  const { entries, stores } = root.simulated.storage as Platter
  return { entries: new Map(entries), stores: new Map([...stores].map(([path, store]) => [path, new Map(store)])) }
}

function putBack({ root, promises }: Tree, copy: Copy): void {
  promises.putBack(root.name)
  const { entries, stores } = root.simulated.storage as Platter
  entries.clear()
  for (const [path, entry] of copy.entries) entries.set(path, entry)
  stores.clear()
  for (const [path, store] of copy.stores) stores.set(path, store)
}
