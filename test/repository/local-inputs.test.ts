// Whatever a person gives to publish, the root goes on: regular files only, sizes before content,
// and a process of its own that can be stopped.

import fs from 'node:fs'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { prepareInProcess } from '../../src/repository/preparing/preparing-process.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { buildRpm } from './build-rpm.ts'
import { type Bench, benchOf, failureOf, greeter, needs, quietLog, run, textOf, writeTree } from './workbench.ts'

const open = (bench: Bench, limitsOfIt: { memoryMaxBytes?: number; timeoutMs?: number } = {}) =>
  openRepository({
    dir: `${bench.home}/repository`,
    payloads: `${bench.home}/store`,
    objects: bench.objects,
    disk: systemDisk,
    prepare: prepareInProcess({ clock: systemClock, ...limitsOfIt }),
    clock: systemClock,
    log: quietLog,
  })

t.test('a named pipe is refused, wherever a file is expected', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, { ...greeter, 'banyan.yaml': '' })
  fs.rmSync(`${folder}/banyan.yaml`)
  run('mkfifo', [`${folder}/banyan.yaml`, `${bench.dir}/a.deb`, `${bench.dir}/base.txt`])
  t.match(await failureOf(repository.publish(folder)), {
    code: 'bad-input',
    message: `${folder}/banyan.yaml is not a plain file`,
  })
  t.match((await failureOf(repository.publish(`${bench.dir}/a.deb`))).message, /neither a file nor a folder/)
  t.match(await failureOf(systemDisk.read(`${bench.dir}/base.txt`)), { code: 'bad-input' })
  t.match(await failureOf(systemDisk.read('/dev/zero')), { code: 'bad-input' })
})

t.test('a size that cannot be is refused before a byte is copied', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, { ...greeter, map: '' })
  fs.truncateSync(`${folder}/map`, 200 * 2 ** 30)
  t.match(await failureOf(repository.publish(folder)), {
    code: 'too-large',
    message: /21474836\d+ bytes are over the limit/,
  })
  const full = await bench.open({ disk: { ...systemDisk, freeBytes: async () => 3 } })
  fs.truncateSync(`${folder}/map`, 5)
  t.match(await failureOf(full.publish(folder)), {
    code: 'no-space',
    message: /greeter: a copy needs \d+ bytes, and 3 are free in .*\/store$/,
  })
})

t.test('counts in the header of an .rpm are bounded', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const bytes = fs.readFileSync(
    buildRpm(`${bench.dir}/a.rpm`, { preamble: ['Requires: base'], files: { '/opt/a': 'x' } }),
  )
  // The header comes after the signature, and its requirements are tag 1049. Their texts are now
  // as many as there are bytes from there on, all of them empty.
  const store = Buffer.alloc(8 * 2 ** 20)
  const start = bytes.indexOf(Buffer.from('8eade801', 'hex'), 100)
  const entries = bytes.readUInt32BE(start + 8)
  const grown = Buffer.concat([
    bytes.subarray(0, start + 16 + entries * 16),
    bytes.subarray(start + 16 + entries * 16, start + 16 + entries * 16 + bytes.readUInt32BE(start + 12)),
    store,
  ])
  grown.writeUInt32BE(bytes.readUInt32BE(start + 12) + store.length, start + 12)
  for (let index = 0; index < entries; index += 1) {
    const at = start + 16 + index * 16
    if (grown.readUInt32BE(at) !== 1049) continue
    grown.writeUInt32BE(bytes.readUInt32BE(start + 12), at + 8)
    grown.writeUInt32BE(store.length - 1, at + 12)
  }
  fs.writeFileSync(`${bench.dir}/crafted.rpm`, grown)
  const before = process.cpuUsage().user
  const failure = await failureOf((await bench.open()).publish(`${bench.dir}/crafted.rpm`))
  t.match(failure.message, /its header has too long a list at tag 1049$/)
  t.ok(process.cpuUsage().user - before < 2_000_000, 'two seconds of the processor')
})

t.test('a process of its own reads the same, passes refusals on, and is ended by its limits', async (t) => {
  const bench = benchOf(t)
  const folder = writeTree(`${bench.dir}/greeter`, { ...greeter, map: textOf(2 * limits.swarmThresholdBytes) })
  const here = await (await bench.open()).publish(folder)
  const repository = await open({ ...bench, home: `${bench.dir}/other` })
  const steps = new Set<string>()
  const there = await repository.publish(folder, { onProgress: ({ step }) => steps.add(step) })
  t.same({ ...there, published: 0 }, { ...here, published: 0 })
  t.same([...steps], ['packing', 'hashing', 'storing'])
  fs.writeFileSync(`${folder}/banyan.yaml`, 'name: greeter\nversion: 2\nsumary: x\n')
  t.match(await failureOf(repository.publish(folder)), { code: 'bad-input', hint: 'did you mean summary?' })

  fs.writeFileSync(`${folder}/banyan.yaml`, 'name: greeter\nversion: 2\n')
  const [slow, greedy] = [await open(bench, { timeoutMs: 1 }), await open(bench, { memoryMaxBytes: 1 })]
  t.match(await failureOf(slow.publish(folder)), { code: 'timed-out', message: /greeter: it takes too long$/ })
  t.match(await failureOf(greedy.publish(folder)), { code: 'too-large', message: /takes more than 1 bytes of memory$/ })
  t.same(
    fs.readdirSync(`${bench.home}/store`).filter((name) => name.includes('publishing')),
    [],
  )
})

t.test('a publication that runs and one that waits can both be cancelled', async (t) => {
  const bench = benchOf(t)
  const repository = await open(bench)
  const folder = writeTree(`${bench.dir}/greeter`, { ...greeter, map: '' })
  // Some gigabytes that take no room and many steps.
  fs.truncateSync(`${folder}/map`, 8 * 2 ** 30)
  const [running, waiting] = [new AbortController(), new AbortController()]
  const begun = Promise.withResolvers<void>()
  const first = repository.publish(folder, { signal: running.signal, onProgress: () => begun.resolve() })
  const second = repository.publish(folder, { signal: waiting.signal })
  waiting.abort()
  t.match(await failureOf(second), { code: 'stopped' })
  await begun.promise
  running.abort()
  t.match(await failureOf(first), { code: 'stopped', message: `publishing ${folder} was stopped` })
  fs.truncateSync(`${folder}/map`, 1)
  t.match(await repository.publish(folder), { outcome: 'published' })
})
