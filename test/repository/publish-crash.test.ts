// Publishing on a disk that fails, and in a process that is killed: the index stays whole, and
// nothing has to be repaired.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import type { Published } from '../../src/repository/published.ts'
import { systemDisk } from '../../src/world/disk.ts'
import type { Disk, Log } from '../../src/world/world.ts'
import { isLarge } from '../large.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { type Bench, benchOf, failureOf, greeter, quietLog, snapshotOf, textOf, writeTree } from './workbench.ts'

const large = { ...greeter, 'share/large.txt': textOf(limits.swarmThresholdBytes) }
const noComplaint: Log = {
  ...quietLog,
  error: (message, fields) => {
    throw new Error(`${message} ${JSON.stringify(fields)}`)
  },
}

type Fault = 'nothing happens' | 'it happens and fails' | 'the disk is gone'

/** Fails at its nth call: without effect, after the effect, or with every call after it too. */
function failingDisk(nth: number, fault: Fault): { disk: Disk; calls: () => number } {
  let calls = 0
  const disk = new Proxy(systemDisk, {
    get: (disk, method) => {
      const real: unknown = Reflect.get(disk, method)
      if (typeof real !== 'function') return real
      return async (...args: unknown[]) => {
        calls += 1
        const fails = calls === nth || (calls > nth && fault === 'the disk is gone')
        if (fails && fault !== 'it happens and fails') throw new Failure('disk', 'input/output error')
        const result: unknown = await real.apply(disk, args)
        if (fails) throw new Failure('disk', 'input/output error')
        return result
      }
    },
  })
  return { disk, calls: () => calls }
}

/** Every version in the index is there with all that belongs to it. */
async function checkWhole(t: Test, bench: Bench): Promise<string[]> {
  const repository = await bench.open({ log: noComplaint })
  const versions: string[] = []
  for (const { manifestBody } of await repository.holdings()) {
    const { payload, version } = manifestBody
    versions.push(version)
    const folder = payload.via === 'swarm' ? 'store' : 'objects'
    const bytes = fs.readFileSync(`${bench.home}/${folder}/${payload.sha256}`)
    t.equal(createHash('sha256').update(bytes).digest('hex'), payload.sha256, `payload of ${version}`)
    if (payload.via === 'swarm') t.ok(await bench.objects.get(payload.metainfo), `metainfo of ${version}`)
  }
  t.notOk(fs.existsSync(`${bench.home}/store/publishing.tmp`), 'opening removes what was staged')
  return versions
}

async function undisturbed(t: Test, files: typeof large | typeof greeter): Promise<[Published, string[]]> {
  const bench = benchOf(t)
  const repository = await bench.open()
  const published = await repository.publish(writeTree(`${bench.dir}/greeter`, files))
  return [published, Object.values(snapshotOf(bench.home))]
}

for (const [what, files] of [
  ['a small', greeter],
  ['a large', large],
] as const) {
  for (const fault of ['nothing happens', 'it happens and fails', 'the disk is gone'] as const) {
    t.test(`the disk fails while ${what} folder is published: ${fault}`, async (t) => {
      const [expected, everything] = await undisturbed(t, files)
      const bench = benchOf(t)
      const folder = writeTree(`${bench.dir}/greeter`, files)
      let failures = 0
      for (let nth = 1; ; nth += 1) {
        fs.rmSync(bench.home, { recursive: true, force: true })
        const { disk, calls } = failingDisk(nth, fault)
        const work = (async () => (await bench.open({ disk })).publish(folder))()
        const outcome = await work.catch((error: unknown) => error)
        const versions = await checkWhole(t, bench)
        if (calls() < nth) {
          t.same(versions, ['1.0.0'])
          break
        }
        // What failed anyway, such as the look for an object that is not there, was no fault.
        if (!(outcome instanceof Error)) continue
        failures += 1
        t.match(outcome, { code: 'disk', message: 'input/output error' }, `call ${nth}`)
        const again = await (await bench.open()).publish(folder)
        t.same(
          { ...again, outcome: 'published' },
          expected,
          `after call ${nth} failed, publishing again is all it takes`,
        )
        t.same(Object.values(snapshotOf(bench.home)), everything, 'and leaves nothing else')
      }
      t.ok(failures > 10, `${failures} calls failed`)
    })
  }
}

t.test('what fails for one version leaves the others alone', async (t) => {
  const bench = benchOf(t)
  const folder = writeTree(`${bench.dir}/greeter`, large)
  await (await bench.open()).publish(folder)
  const before = snapshotOf(bench.home)
  for (let nth = 1; nth < 60; nth += 1) {
    let disk: Disk | undefined
    const late = new Proxy(systemDisk, { get: (real, method) => Reflect.get(disk ?? real, method) })
    const repository = await bench.open({ disk: late })
    disk = failingDisk(nth, 'nothing happens').disk
    const outcome = await repository.publish(folder, { version: '2' }).catch((error: unknown) => error)
    if (!(outcome instanceof Error)) break
    t.same(
      (await repository.package('greeter')).map(({ version }) => version),
      ['1.0.0'],
    )
    const now = snapshotOf(bench.home)
    for (const [file, digest] of Object.entries(before)) t.equal(now[file], digest, file)
  }
  t.same(await checkWhole(t, bench), ['1.0.0', '2'])
})

t.test('a full disk says so, and the version can be published once there is room', async (t) => {
  const bench = benchOf(t)
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  const refuse = async () => Promise.reject(new Failure('no-space', 'no space left', { retry: 'later' }))
  const full: Disk = { ...systemDisk, write: refuse, writeAll: refuse }
  const repository = await bench.open({ disk: full })
  const before = snapshotOf(bench.home)
  t.match(await failureOf(repository.publish(folder)), { code: 'no-space', retry: 'later' })
  t.same(
    Object.keys(snapshotOf(bench.home)).filter((file) => !(file in before)),
    [`${bench.home}/objects`],
  )
  t.match(await (await bench.open()).publish(folder), { outcome: 'published' })
})

/** Publishes until it has said so many lines, and is then killed at once, whatever it is doing. */
async function killedAfter(lines: number, bench: Bench, folder: string, first: number): Promise<void> {
  const program = `${import.meta.dirname}/publish-in-a-loop.ts`
  const child = spawn(process.execPath, [program, bench.dir, folder, `${first}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  let seen = 0
  for await (const _ of createInterface(child.stdout)) {
    seen += 1
    if (seen === lines) child.kill('SIGKILL')
  }
  await ended
  if (child.signalCode !== 'SIGKILL') throw new Error(`it ended by itself with ${child.exitCode}`)
}

t.test('a publishing process can be killed at any moment', async (t) => {
  const seed = Number(process.env['BANYAN_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`BANYAN_SEED=${seed}`)
  const random = seededRandom(`${seed}`)
  const bench = benchOf(t)
  const folder = writeTree(`${bench.dir}/greeter`, large)
  let versions: string[] = []
  const rounds = isLarge ? 8 : 4
  for (let round = 0; round < rounds; round += 1) {
    await killedAfter(1 + Math.floor(random.fraction() * 30), bench, folder, versions.length + 1)
    const now = await checkWhole(t, bench)
    const expected = now.map((_, index) => `${index + 1}`)
    t.same(
      [...now].sort((a, b) => Number(a) - Number(b)),
      expected,
      'all versions up to some point',
    )
    t.ok(now.length >= versions.length, `${now.length} versions, none lost`)
    versions = now
  }
  t.ok(versions.length > 0)
})
