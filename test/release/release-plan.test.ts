// What a release would change, computed from reports.

import t from 'tap'
import type { Manifest, Payload } from '../../src/model/manifest.ts'
import type { Report } from '../../src/model/report.ts'
import type { Revision } from '../../src/model/revision.ts'
import { type LinkedNode, linkTraffic } from '../../src/release/link-traffic.ts'
import { createReleasePlanner } from '../../src/release/release-plan.ts'
import { outcomeOf, reportOf, transferOf } from '../report/reports.ts'

const MiB = 2 ** 20

function manifestOf(name: string, version: string, size = 4 * MiB): Manifest {
  const sha256 = Buffer.from(`${name} ${version}`).toString('hex').padStart(64, '0').slice(-64)
  const infoHash = sha256.slice(-40)
  const payload: Payload =
    size < MiB
      ? { via: 'object', sha256, size }
      : { via: 'swarm', sha256, size, infoHash, pieceLength: 262_144, metainfo: sha256 }
  const rest = { installedSize: size, depends: [], summary: '', hooks: {} }
  return { schema: 1, name, version, kind: 'deb', arch: 'amd64', payload, ...rest }
}

const manifests = new Map(
  [
    manifestOf('shop', '1.0'),
    manifestOf('shop', '2.0'),
    manifestOf('atlas', '1.0', 1000),
    manifestOf('odd', '1.0'),
  ].map((manifest) => [manifest.payload.sha256, manifest]),
)
const build = (name: string, version: string) => ({ version, manifest: manifestOf(name, version).payload.sha256 })

function revisionOf(packages: Record<string, string>, number = 5): Revision {
  const wanted = Object.entries(packages).map(([name, version]) => [
    name,
    version === 'absent'
      ? { state: 'absent' as const }
      : { state: 'present' as const, builds: { [name === 'odd' ? 'armhf' : 'amd64']: build(name, version) } },
  ])
  const rules = [{ line: 1, nodes: 'all' as const, except: [], packages: Object.fromEntries(wanted) }]
  return { schema: 1, number, released: 0, message: '', groups: {}, rules }
}

function planOf(packages: Record<string, string>, reports: Report[], silent: string[] = []) {
  const planner = createReleasePlanner({
    revision: revisionOf(packages),
    before: 4,
    manifest: (digest) => manifests.get(digest),
  })
  for (const report of reports) planner.add(report)
  return planner.plan(silent)
}

t.test('nodes that would change are told apart by what changes', async (t) => {
  const plan = planOf({ shop: '2.0', atlas: '1.0' }, [
    reportOf('a', 1, { packages: [outcomeOf('shop'), outcomeOf('atlas')] }),
    reportOf('b', 1, { packages: [outcomeOf('shop', { version: '3.0' }), outcomeOf('atlas')] }),
    reportOf('c', 1, { packages: [outcomeOf('shop', { version: '2.0' }), outcomeOf('atlas')] }),
    reportOf('d', 1, { packages: [outcomeOf('shop', { version: '2.0' }), outcomeOf('old')] }),
  ])
  t.match(plan, { revision: 5, before: 4, nodes: 4, changing: 3 })
  t.strictSame(
    plan.changes.map(({ name, what, from, to, nodes }) => [name, what, from, to, ...nodes].join(' ')),
    ['atlas install  1.0 d', 'old remove 1.0  d', 'shop upgrade 1.0 2.0 a', 'shop downgrade 3.0 2.0 b'],
  )
})

t.test('nothing differs, nothing is planned', async (t) => {
  const plan = planOf({ shop: '2.0' }, [reportOf('a', 1, { packages: [outcomeOf('shop', { version: '2.0' })] })])
  t.match(plan, { changing: 0, changes: [], sites: [] })
})

t.test('what an administrator holds is shown and does not count', async (t) => {
  const plan = planOf({ shop: '2.0' }, [reportOf('a', 1, { packages: [outcomeOf('shop', { outcome: 'held' })] })])
  t.match(plan, { changing: 0, changes: [{ name: 'shop', state: 'held', nodes: ['a'] }] })
})

t.test('what has drifted on a node is put in order again', async (t) => {
  const packages = [outcomeOf('shop', { version: '2.0', outcome: 'failed', difference: 'drift' })]
  t.match(planOf({ shop: '2.0' }, [reportOf('a', 1, { packages })]).changes, [{ what: 'reinstall' }])
})

t.test('what the reports do not say is named', async (t) => {
  const plan = planOf(
    { telnetd: 'absent', odd: '1.0' },
    [
      reportOf('a', 1, { revision: 3 }),
      reportOf('b', 1, { truncated: 7 }),
      reportOf('c', 1, { packages: [outcomeOf('telnetd', { kind: null, version: null })] }),
      reportOf('d', 1, { packages: [outcomeOf('telnetd')] }),
    ],
    ['c'],
  )
  t.strictSame(plan.unknown, {
    silent: ['c'],
    behind: ['a'],
    cut: ['b'],
    absent: [{ name: 'telnetd', nodes: 2 }],
    unbuilt: [{ name: 'odd', nodes: 4 }],
  })
  t.match(plan.changes, [{ name: 'telnetd', what: 'remove', nodes: ['d'] }])
})

t.test('a release that would be refused for what it removes is foretold', async (t) => {
  const reports = [reportOf('a', 1, { packages: [outcomeOf('shop'), outcomeOf('atlas')] })]
  t.strictSame(planOf({ shop: '1.0' }, reports).removals, { installed: 2, removed: 1, refused: true })
  t.strictSame(planOf({ shop: '1.0', atlas: '1.0' }, reports).removals, { installed: 2, removed: 0, refused: false })
})

const swarmed = manifestOf('shop', '2.0').payload.sha256
const small = manifestOf('atlas', '1.0', 1000).payload.sha256

function traffic(nodes: Partial<LinkedNode>[]) {
  const whole = nodes.map((one) => ({ node: '', site: null, parent: null, needs: [], transfers: [], ...one }))
  return linkTraffic(whole, (digest) => manifests.get(digest)?.payload)
}

t.test('a payload crosses the link of a site once, however many nodes and levels there are', async (t) => {
  const nodes = [
    { node: 'root', site: 'main' },
    { node: 'berlin', site: 'berlin', parent: 'root' },
    ...[1, 2, 3].map((index) => ({
      node: `berlin-${index}`,
      site: 'berlin',
      parent: 'berlin',
      needs: [swarmed, small],
    })),
    { node: 'oslo', site: 'oslo', parent: 'berlin', needs: [swarmed] },
    { node: 'near', site: 'main', parent: 'root', needs: [swarmed] },
  ]
  t.match(traffic(nodes), [
    { site: 'berlin', packages: 2, bytes: 4 * MiB + 1000 },
    { site: 'oslo', packages: 1, bytes: 4 * MiB },
  ])
})

t.test('at a site without a staging server one node brings a swarm in, and each its objects', async (t) => {
  const nodes = [
    { node: 'root', site: 'main' },
    ...[1, 2, 3].map((index) => ({ node: `far-${index}`, site: 'far', parent: 'root', needs: [swarmed, small] })),
  ]
  t.match(traffic(nodes), [{ site: 'far', packages: 2, bytes: 4 * MiB + 3 * 1000 }])
})

t.test('what lies at the site already does not cross its link', async (t) => {
  const infoHash = swarmed.slice(-40)
  const site = (have: number) => [
    { node: 'root', site: 'main' },
    { node: 'a', site: 'far', parent: 'root', transfers: [transferOf(1, { infoHash, have })] },
    { node: 'b', site: 'far', parent: 'root', needs: [swarmed] },
  ]
  t.match(traffic(site(MiB)), [{ bytes: 3 * MiB }])
  t.strictSame(traffic(site(4 * MiB)), [])
})

t.test('the time is that of the best that was seen on the link, and unknown before', async (t) => {
  const site = (transfers: LinkedNode['transfers']) => [
    { node: 'root', site: 'main' },
    { node: 'a', site: 'far', parent: 'root', needs: [swarmed], transfers },
  ]
  t.match(traffic(site([])), [{ observedRate: null, seconds: null }])
  const slow = transferOf(1, { overLink: MiB, startedAt: 1000, completedAt: 9000, state: 'complete' })
  const fast = transferOf(2, { overLink: 2 * MiB, startedAt: 1000, completedAt: 2000, state: 'complete' })
  const fromSiblings = transferOf(3, { overLink: 0, startedAt: 1000, completedAt: 1001, state: 'complete' })
  t.match(traffic(site([slow, fast, fromSiblings])), [{ observedRate: 2 * MiB, seconds: 2 }])
  const [one, two] = [4, 5].map((index) => transferOf(index, { overLink: MiB, startedAt: 1000, completedAt: 2000 }))
  t.match(traffic(site([one, two] as LinkedNode['transfers'])), [{ observedRate: 2 * MiB }], 'they shared the link')
})

t.test('reports of different moments may contradict each other about who is above whom', async (t) => {
  const nodes = [
    { node: 'a', site: 'x', parent: 'b', needs: [swarmed] },
    { node: 'b', site: 'y', parent: 'a' },
  ]
  t.match(traffic(nodes), [{ site: 'x', bytes: 4 * MiB }])
})
