// What `banyan plan` costs a root: reports read from its store one after the other, and what a
// release would change in them. Run: node bench/plan.ts [NODES] [PACKAGES EACH]

import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Manifest } from '../src/model/manifest.ts'
import type { Outcome, Report } from '../src/model/report.ts'
import type { Revision } from '../src/model/revision.ts'
import { createReleasePlanner } from '../src/release/release-plan.ts'
import { openInbox } from '../src/report/inbox.ts'
import { openLevelStore } from '../src/world/store/store.ts'

const nodes = Number(process.argv[2] ?? 10_000)
const packagesEach = Number(process.argv[3] ?? 50)
const sites = 100
const manifests = new Map(Array.from({ length: packagesEach }, (_, index) => [digestOf(index), manifestOf(index)]))
const wanted = Array.from(manifests, ([manifest, { name }]) => {
  return [name, { state: 'present' as const, builds: { amd64: { version: '2.0', manifest } } }] as const
})
const revision: Revision = {
  ...{ schema: 1, number: 2, released: 0, message: '', groups: {} },
  rules: [{ line: 1, nodes: 'all', except: [], packages: Object.fromEntries(wanted) }],
}
const folder = await mkdtemp(path.join(os.tmpdir(), 'banyan-bench-'))
const store = await openLevelStore(path.join(folder, 'state'))
try {
  const verify = ({ payload }: { payload: string }) => {
    const bytes = Buffer.from(payload, 'base64')
    return { node: (JSON.parse(bytes.toString()) as Report).node, payload: bytes }
  }
  // A daemon's timers keep no process alive; here nothing else does.
  const clock = {
    now: Date.now,
    after(ms: number, callback: () => void) {
      const timer = setTimeout(callback, ms)
      return { cancel: () => clearTimeout(timer) }
    },
  }
  const inbox = await openInbox({ store, verify, clock, maxFutureMs: 60_000 })
  for (let done = 0; done < nodes; done += 500) {
    const reports = Array.from({ length: Math.min(500, nodes - done) }, (_, index) => envelopeOf(done + index))
    await inbox.accept({ reports, certificates: {} }, 'root')
  }
  const began = performance.now()
  const cpu = process.cpuUsage()
  const planner = createReleasePlanner({ revision, before: 1, manifest: (digest) => manifests.get(digest) })
  for await (const report of inbox.reports()) planner.add(report)
  const read = performance.now()
  const plan = planner.plan([])
  const { user, system } = process.cpuUsage(cpu)
  const bytes = plan.sites.reduce((sum, site) => sum + site.bytes, 0)
  console.log('| nodes | packages each | changing | links | CPU, s | time, s | of which links, s |')
  console.log('| --- | --- | --- | --- | --- | --- | --- |')
  const seconds = [user / 1e6 + system / 1e6, (performance.now() - began) / 1000, (performance.now() - read) / 1000]
  console.log(
    `| ${nodes} | ${packagesEach} | ${plan.changing} | ${plan.sites.length} (${bytes} bytes) | ${seconds.map((one) => one.toFixed(2)).join(' | ')} |`,
  )
} finally {
  await store.close()
  await rm(folder, { recursive: true })
}

function nameOf(index: number): string {
  return `package-${index}`
}

function digestOf(index: number): string {
  return index.toString(16).padStart(64, '0')
}

function manifestOf(index: number): Manifest {
  const [sha256, infoHash] = [digestOf(index), index.toString(16).padStart(40, '0')]
  const payload = { via: 'swarm', sha256, size: 2 ** 22, infoHash, pieceLength: 2 ** 18, metainfo: sha256 } as const
  const rest = { installedSize: 1, depends: [], summary: '', hooks: {} }
  return { schema: 1, name: nameOf(index), version: '2.0', kind: 'deb', arch: 'amd64', payload, ...rest }
}

/** One report in ten has all packages at the older version. */
function envelopeOf(index: number) {
  const version = index % 10 === 0 ? '1.0' : '2.0'
  const packages = Array.from({ length: packagesEach }, (_, each): Outcome => {
    return { name: nameOf(each), kind: 'deb', outcome: 'kept', version, before: version, difference: null }
  })
  const site = `site-${index % sites}`
  const report: Report = {
    ...{ schema: 1, node: `node-${index}`, counter: 1, at: Date.now(), version: '0.1.0', site, labels: {} },
    ...{ parent: index < sites ? 'root' : `node-${index % sites}`, revision: 1, converged: 1, state: 'converged' },
    ...{ packages, transfers: [], attacks: [], arch: 'amd64', problems: [] },
    facts: { arch: 'amd64', hostname: `node-${index}`, 'os.codename': 'bookworm' },
  }
  const payload = Buffer.from(JSON.stringify(report)).toString('base64')
  return { payloadType: 'x', payload, signatures: [{ keyid: 'x', sig: '' }] }
}
