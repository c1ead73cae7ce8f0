// An index that was damaged on disk: the rest goes on, and nobody guesses what was there.

import fs from 'node:fs'
import t, { type Test } from 'tap'
import type { LogFields } from '../../src/world/world.ts'
import { type Bench, benchOf, failureOf, greeter, quietLog, writeTree } from './workbench.ts'

async function withTwoPackages(
  t: Test,
): Promise<{ bench: Bench; folder: string; entry: string; errors: LogFields[]; log: typeof quietLog }> {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  await repository.publish(folder)
  await repository.publish(folder, { version: '2.0.0' })
  await repository.publish(folder, { name: 'other' })
  const errors: LogFields[] = []
  const log = { ...quietLog, error: (_: string, fields: LogFields = {}) => void errors.push(fields) }
  return { bench, folder, entry: `${bench.home}/repository/greeter/2.0.0_all_tree.json`, errors, log }
}

const rules = (name: string) => `rules:\n  - nodes: all\n    packages: { ${name}: latest }\n`
const options = { file: 'policy.yaml', number: 1, released: 1, message: '' }

for (const [what, damage] of [
  ['cut off', (entry: string) => fs.truncateSync(entry, 20)],
  ['empty', (entry: string) => fs.truncateSync(entry, 0)],
  ['something else', (entry: string) => fs.writeFileSync(entry, '{"schema":2}')],
  ['far too large', (entry: string) => fs.truncateSync(entry, 1 << 20)],
] as const) {
  t.test(`an entry that is ${what} is an error for its package alone`, async (t) => {
    const { bench, folder, entry, errors, log } = await withTwoPackages(t)
    damage(entry)
    const repository = await bench.open({ log })
    t.match(errors, [{ name: 'greeter', file: entry }])
    t.match(await repository.packages(), [{ name: 'greeter', versions: ['1.0.0'] }, { name: 'other' }])
    t.ok(await repository.compile(rules('other'), options))
    // What is latest now is anybody's guess; 1.0.0 would take the fleet backwards.
    const failure = await failureOf(repository.compile(rules('greeter'), options))
    t.match(failure, {
      code: 'digest-mismatch',
      message: /^what is published of greeter is damaged: /,
      hint: 'restore that file from a backup',
    })
    t.match(await failureOf(repository.publish(folder, { version: '2.0.0' })), { code: 'digest-mismatch' })
    t.match(await repository.publish(folder, { version: '3.0.0' }), { outcome: 'published' })
  })
}

t.test('an entry of before there were targets is read, and repaired in its new place', async (t) => {
  const { bench, folder, entry, errors, log } = await withTwoPackages(t)
  const former = entry.replace('_tree', '')
  fs.renameSync(entry, former)
  const repository = await bench.open({ log })
  t.same(errors, [])
  t.match(await repository.publish(folder, { version: '2.0.0' }), { outcome: 'already' })
  t.notOk(fs.existsSync(entry))
  const [published] = await repository.package('greeter')
  await bench.objects.remove(published?.manifest ?? '')
  const damaged = await bench.open({ log })
  t.match(errors, [{ file: former }])
  t.match(await damaged.publish(folder, { version: '2.0.0' }), { outcome: 'published' })
  t.ok(fs.existsSync(entry))
  t.notOk(fs.existsSync(former))
  t.ok(await (await bench.open()).compile(rules('greeter'), options))
})

t.test('an entry in the place of another is not believed', async (t) => {
  const { bench, entry, errors, log } = await withTwoPackages(t)
  fs.copyFileSync(`${bench.home}/repository/greeter/1.0.0_all_tree.json`, entry)
  await bench.open({ log })
  t.match(errors, [{ error: /its manifest is of another$/ }])
})

t.test('a manifest that is lost comes back by publishing the same again, and only by that', async (t) => {
  const { bench, folder, errors, log } = await withTwoPackages(t)
  const [published] = await (await bench.open()).package('greeter')
  await bench.objects.remove(published?.manifest ?? '')
  const repository = await bench.open({ log })
  t.match(errors, [{ name: 'greeter', error: /its manifest [0-9a-f]{64} is gone$/ }])
  const hint = 'publish the same version again, byte for byte'
  t.match(await failureOf(repository.compile(rules('greeter'), options)), { code: 'digest-mismatch', hint })
  const other = writeTree(`${bench.dir}/other`, { ...greeter, 'share/words': 'howdy\n' })
  t.match(await failureOf(repository.publish(other, { version: '2.0.0' })), { code: 'digest-mismatch', hint })
  t.match(await repository.publish(folder, { version: '2.0.0' }), { manifest: published?.manifest })
  t.ok(await repository.compile(rules('greeter'), options))
  t.same(await (await bench.open()).packages(), await repository.packages())
})
