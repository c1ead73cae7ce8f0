// A disk that takes nothing: a real one, full or read-only.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { parseReport, type Report, type ReportBatch } from '../../../src/model/report.ts'
import { writeProblem } from '../../../src/node/disk/writable.ts'
import { type Reports, startReports } from '../../../src/node/parent/reports.ts'
import { nodeIdentityFrom } from '../../../src/trust/identity.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { systemDisk } from '../../../src/world/disk.ts'
import { systemExec } from '../../../src/world/exec.ts'
import { systemRandom } from '../../../src/world/random.ts'
import { openLevelStore } from '../../../src/world/store/store.ts'
import type { OpenStore } from '../../../src/world/world.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { onSmallDisk } from '../../world/small-disk.ts'

t.setTimeout(120_000)
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

async function fillUp(folder: string): Promise<void> {
  try {
    for (let n = 0; ; n += 1) await fs.writeFile(path.join(folder, `filler-${n}`), Buffer.alloc(256 * 1024, 1))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
}

t.test('what keeps the home from being written is named by its cause', (t) =>
  onSmallDisk(t, 2, async (folder) => {
    const home = path.join(folder, 'home')
    await fs.mkdir(home)
    await fs.mkdir(path.join(folder, 'state'))
    t.equal(await writeProblem(systemDisk, home), null)
    t.same(await fs.readdir(home), [], 'and the probe leaves nothing')
    await fillUp(folder)
    t.match(
      await writeProblem(systemDisk, home),
      /^the disk below .*home is full \(\d+ bytes free\): nothing can be stored/,
    )
    t.same(await fs.readdir(home), [])
    const bound = { program: 'mount', args: ['-o', 'remount,ro', folder], timeoutMs: 5000 }
    t.equal((await systemExec.run(bound)).code, 0)
    t.match(await writeProblem(systemDisk, home), /^the disk below .*home is read-only: nothing can be stored/)
    const hint = /findmnt/
    await t.rejects(openLevelStore(path.join(folder, 'state')), { code: 'disk', hint }, 'nor does a daemon start there')
    await t.rejects(systemDisk.write(path.join(home, 'it'), ''), { code: 'disk', hint })
  }),
)

t.test('a disk without inodes is full, whatever its bytes say', (t) =>
  onSmallDisk(t, 2, async (folder) => {
    const remount = { program: 'mount', args: ['-o', 'remount,nr_inodes=4', folder], timeoutMs: 5000 }
    t.equal((await systemExec.run(remount)).code, 0)
    for (let n = 0; n < 3; n += 1) await fs.writeFile(path.join(folder, `${n}`), '')
    t.match(await writeProblem(systemDisk, folder), /is full \(it has no inodes left\)/)
  }),
)

t.test('a folder that is gone is no read-only disk', async (t) => {
  t.match(await writeProblem(systemDisk, path.join(t.testdir({}), 'gone')), /^there is no .*: nothing can be stored/)
})

function reportOf(node: string, counter: number, rest: Pick<Report, 'at'> & Partial<Report>): Report {
  const nothing = { packages: [], transfers: [], attacks: [], problems: [], labels: {}, facts: {} }
  const about = { schema: 1, node, counter, version: '0', site: null, parent: null, revision: 1, converged: 1 }
  return parseReport({ ...about, ...nothing, state: 'converged', arch: 'amd64', ...rest }, 'report')
}

interface Sent {
  batch: ReportBatch
  report: Report
}

/** A node that reports from a store on a real disk. */
async function reporting(
  store: OpenStore,
): Promise<{ reports: Reports; sent: Sent[]; news(problem: string, lines?: number): void }> {
  const fleet = await createTestFleet('acme', Date.now())
  const identity = nodeIdentityFrom(await fleet.node('web-1'))
  const sent: Sent[] = []
  let problems: string[] = []
  const reports = await startReports({
    ...{ clock: systemClock, random: systemRandom, log: quiet, store, isRoot: false, self: 'web-1' },
    identity: () => identity,
    build: (counter, at) => reportOf('web-1', counter, { at, problems }),
    send: async (batch) => {
      const payload = Buffer.from(batch.reports[0]?.payload ?? '', 'base64').toString()
      sent.push({ batch, report: JSON.parse(payload) })
      return { accepted: 1, refused: [] }
    },
    onAttack: (attack) => t.fail(attack.detail),
  })
  return {
    ...{ reports, sent },
    news(problem, lines = 1) {
      problems = Array.from({ length: lines }, () => problem.padEnd(1000, '.'))
      reports.ask()
    },
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}

t.test('a node reports from memory while its disk is full, and from its store again after that', (t) =>
  onSmallDisk(t, 12, async (folder) => {
    const store = await openLevelStore(path.join(folder, 'state'))
    const { reports, sent, news } = await reporting(store)
    news('one')
    await until(() => sent.length === 1)
    t.equal(sent[0]?.report.unsaved, undefined)
    await fillUp(folder)
    // Its log has room for some more reports, as its file is larger than what is in it.
    for (let n = 0; sent.at(-1)?.report.unsaved === undefined; n += 1) {
      const before = sent.length
      news(`full ${n}`, 100)
      await until(() => sent.length > before)
    }
    t.match(sent.at(-1)?.report, { unsaved: true, problems: [/^full/] }, 'what it has to say arrives, marked')
    for (const file of await fs.readdir(folder)) if (file.startsWith('filler')) await fs.rm(path.join(folder, file))
    const before = sent.length
    news('room again')
    await until(() => sent.length > before)
    t.equal(sent.at(-1)?.report.unsaved, undefined)
    const counters = sent.map(({ report }) => report.counter)
    t.same(
      counters,
      [...new Set(counters)].sort((a, b) => a - b),
      'no counter comes twice',
    )
    await reports.stop()
    await store.close()
  }),
)

t.test('a staging server whose disk takes nothing passes the reports of its children on', async (t) => {
  const stored = await openLevelStore(path.join(t.testdir({}), 'state'))
  const fleet = await createTestFleet('acme', Date.now())
  const [self, child] = [nodeIdentityFrom(await fleet.node('staging')), nodeIdentityFrom(await fleet.node('web-1'))]
  const passed: ReportBatch[] = []
  const isFull = { now: false }
  const failing = (room: ReturnType<OpenStore['sub']>): ReturnType<OpenStore['sub']> => ({
    ...room,
    batch: async (changes) => {
      if (isFull.now) throw new Failure('disk', 'cannot write: EROFS')
      await room.batch(changes)
    },
    sub: (name) => failing(room.sub(name)),
  })
  const reports = await startReports({
    ...{ clock: systemClock, random: systemRandom, log: quiet, store: failing(stored), isRoot: false, self: 'staging' },
    identity: () => self,
    build: (counter, at) => reportOf('staging', counter, { at }),
    send: async (batch) => {
      passed.push(batch)
      return { accepted: 1, refused: [] }
    },
    onAttack: (attack) => t.fail(attack.detail),
  })
  isFull.now = true
  const { seal } = await import('../../../src/trust/envelope.ts')
  const payload = Buffer.from(JSON.stringify(reportOf('web-1', 7, { at: Date.now() })))
  const payloadType = 'application/vnd.banyan.report+json'
  const batch = {
    reports: [seal({ payloadType, payload, privateKey: child.privateKey, keyId: child.keyId })],
    certificates: { [child.keyId]: Buffer.from(child.certificateDer).toString('base64') },
  }
  t.match(await reports.take(batch, 'web-1'), { accepted: 1, refused: [] })
  t.same(passed, [batch], 'the parent has it before the child is answered')
  t.equal(reports.inbox.knowledgeOf('web-1'), undefined, 'and it is no duplicate once there is room')
  isFull.now = false
  t.match(await reports.take(batch, 'web-1'), { accepted: 1 })
  t.equal(reports.inbox.knowledgeOf('web-1')?.counter, 7)
  await reports.stop()
  await stored.close()
})
