// What a node reads back from its own disk, and what the revision names by its digest.

import { Failure } from '../../../src/model/failure.ts'
import { parseKnowledge } from '../../../src/model/knowledge.ts'
import { parseManifest } from '../../../src/model/manifest.ts'
import { parseJson } from '../../../src/model/parse.ts'
import { backgroundOf, buildsOf, manifestsOf, parseRevision } from '../../../src/model/revision.ts'
import { parseRollouts, waveOf } from '../../../src/model/rollouts.ts'
import { createKeptFiles } from '../../../src/node/disk/kept-files.ts'
import { loadParentNames } from '../../../src/node/setup/parent-names.ts'
import { objectsNamedIn } from '../../../src/objects/revision-objects.ts'
import { parseInstalledRecords } from '../../../src/reconcile/actual.ts'
import { applyFolder, readApplied, readPlan } from '../../../src/reconcile/apply/apply-folder.ts'
import { openBaselines } from '../../../src/reconcile/providers/drift/baselines.ts'
import { parseTreeEntry, parseTreeHeader } from '../../../src/reconcile/providers/tree/tree-entries.ts'
import { parseSavedQuarantines } from '../../../src/reconcile/quarantine.ts'
import { parseKeptRestarts } from '../../../src/reconcile/restarts.ts'
import { parseSignedReport } from '../../../src/report/signed-report.ts'
import { parseDamage } from '../../../src/swarm/checking/damage.ts'
import { openAdmissionRecords } from '../../../src/trust/admission/admission-records.ts'
import { diskWith, type FuzzTarget } from '../target.ts'

const sha256 = 'a'.repeat(64)
const at = 1_777_593_600_000
const manifest = {
  ...{ schema: 1, name: 'shop', version: '4.2.0', kind: 'deb', arch: 'amd64', target: { 'os.codename': 'trixie' } },
  payload: {
    ...{ via: 'swarm', sha256, size: 100_000, infoHash: 'b'.repeat(40), pieceLength: 16_384, metainfo: 'c'.repeat(64) },
  },
  ...{
    installedSize: 5,
    depends: ['libjq1 (= 1.6)'],
    provides: ['mta'],
    summary: 's',
    hooks: { preInstall: 'hooks/a' },
  },
  ...{ hookTimeouts: { preInstall: 1000 }, ignore: ['data/**'] },
}
const builds = { amd64: { version: '4.2.0', manifest: sha256 } }
const rule = {
  ...{ line: 3, nodes: ['web'], except: [] },
  packages: {
    shop: { state: 'present', builds, targets: [{ for: { 'os.codename': 'trixie' }, builds }], orNewer: true },
    telnetd: { state: 'absent' },
  },
  ...{
    terms: { window: 'night', rollout: 'careful', restart: ['nginx.service'], background: true },
    since: { shop: 2 },
  },
}
const groups = { web: { site: ['berlin'], labels: { role: 'web' }, facts: { cores: 4 }, names: ['web-1'] } }
const revision = {
  ...{ schema: 1, number: 3, released: at, message: 'm', groups, rules: [rule], previous: sha256 },
  windows: { night: { days: [1, 2], from: 60, until: 120, drift: 'wait' } },
  rollouts: { careful: { waves: [1, 100], soakMs: 60_000, haltFailed: 2 } },
  earlier: [{ groups, rules: [rule] }],
}
const rollouts = {
  schema: 1,
  rollouts: [{ rollout: 'careful', since: 2, seed: 's', waves: [1, 100], open: 1, openedAt: at, halted: 'x' }],
}
const action = {
  ...{ name: 'shop', kind: 'deb', what: 'upgrade', cause: 'pending', from: '4.1', to: '4.2.0', found: 'x' },
  source: { manifest: sha256, payload: sha256, path: '/store/a' },
  previous: { version: '4.1', payload: sha256, path: '/store/b' },
  ...{ ignore: ['/var/**'], together: ['deb/libjq1'] },
}
const plan = {
  schema: 1,
  revision: 3,
  digest: sha256,
  actions: [action],
  waiting: [],
  restarts: [{ unit: 'a.service', packages: ['shop'] }],
}
const applied = { schema: 1, txid: 't', startedAt: at, endedAt: at, outcomes: [], output: '' }
const record = {
  ...{ name: 'shop', kind: 'deb', version: '4.2.0', manifest: sha256, payload: sha256, revision: 3 },
  ...{ state: 'installed', foundThere: false },
}
const quarantine = {
  ...{ name: 'shop', kind: 'deb', manifest: sha256, revision: 3, failures: 1, because: 'x', failedAt: at, nextTry: at },
}
const knowledge = {
  ...{
    node: 'till-1',
    counter: 3,
    digest: '0'.repeat(16),
    at,
    receivedAt: at,
    via: 'till-1',
    version: '1',
    arch: 'amd64',
  },
  ...{ site: null, parent: 'root', revision: 3, converged: 3, state: 'converged', packages: 1, failed: 0, drifted: 0 },
  ...{ attacks: 0, problems: 0 },
}
const entry = { kind: 'file', path: 'bin/a', mode: 0o755, size: 3, sha256, mtimeMs: 1.5 }
const header = {
  ...{
    schema: 1,
    name: 'shop',
    version: '1',
    manifest: sha256,
    payload: sha256,
    hooks: {},
    state: 'installed',
    previous: null,
  },
}
const folder = applyFolder('/home', 't')
const words = ['__proto__', 'constructor', 'all', 'amd64', 'latest', 'absent', 'present', sha256]

function json(
  name: string,
  parsers: readonly string[],
  examples: readonly unknown[],
  run: (value: unknown, bytes: Uint8Array) => unknown,
): FuzzTarget {
  return {
    ...{ name, format: 'json', words, parsers },
    examples: examples.map((each) => JSON.stringify(each)),
    run: (bytes) => run(parseJson(bytes, name), bytes),
  }
}

/** Of a small state file, by the name of what it holds. */
const smallParsers = new Map<unknown, (value: unknown) => unknown>([
  ['records', (value) => parseInstalledRecords(value, 'records')],
  ['quarantine', (value) => parseSavedQuarantines(value, 'quarantine')],
  ['restarts', (value) => parseKeptRestarts(value, 'restarts')],
  ['damage', (value) => parseDamage(value, 'damage')],
  ['entry', (value) => parseTreeEntry(value, 'entry')],
  ['header', (value) => parseTreeHeader(value, 'header')],
  ['report', (value) => parseSignedReport(value, 'report')],
  ['knowledge', (value) => parseKnowledge(value, 'knowledge')],
])

export const targets: FuzzTarget[] = [
  json('manifest', ['src/model/manifest.ts', 'src/objects/revision-objects.ts'], [manifest], (value, bytes) => {
    parseManifest(value, 'manifest')
    objectsNamedIn(sha256, bytes)
  }),
  json('revision', ['src/model/revision.ts'], [revision], (value) => {
    const parsed = parseRevision(value, 'revision')
    for (const digests of [manifestsOf(parsed), backgroundOf(parsed), buildsOf(parsed)]) void digests
  }),
  json('rollouts', ['src/model/rollouts.ts'], [rollouts, {}], (value) => {
    for (const state of parseRollouts(value, 'rollouts')) waveOf('till-1', state)
  }),
  json('plan', ['src/reconcile/apply/apply-folder.ts'], [plan], (_, bytes) => readPlan(diskWith(bytes), folder)),
  json('applied', ['src/reconcile/apply/apply-folder.ts'], [applied], (_, bytes) =>
    readApplied(diskWith(bytes), folder),
  ),
  json(
    'state-files',
    ['src/model/parse.ts'],
    [
      ['records', [record]],
      ['quarantine', [quarantine]],
      ['restarts', []],
      ['damage', { pieces: 1, since: at, last: at, name: 'shop', version: '1' }],
      ['entry', entry],
      ['header', header],
      ['knowledge', knowledge],
    ],
    (value) => {
      const [kind, content] = Array.isArray(value) ? value : []
      return smallParsers.get(kind)?.(content)
    },
  ),
  json(
    'node-files',
    ['src/node/setup/parent-names.ts', 'src/node/disk/kept-files.ts', 'src/trust/admission/admission-records.ts'],
    [
      { 'https://root:7420': 'root' },
      { checksum: '00000000', value: {} },
      { hmacKey: sha256, expiresAt: at, uses: 1, used: 0 },
      { keyId: sha256, since: at, revokedAt: null },
    ],
    async (_, bytes) => {
      const disk = {
        ...diskWith(bytes),
        writeAll: async () => {},
        makeFolder: async () => {},
        write: async () => {},
        remove: async () => {},
      }
      await createKeptFiles({ disk, dir: '/kept', log: { warn: () => {} } }).read('x')
      await openBaselines({ ...disk, list: async () => ['shop.json'] }, '/home', 'deb').of(['shop'])
      const records = await openAdmissionRecords({ dir: '/fleet', disk })
      const reads = [
        () => records.token('x'),
        () => records.node('till-1'),
        () => loadParentNames(disk, 'parents.json'),
      ]
      const ends = await Promise.allSettled(reads.map((read) => read()))
      for (const end of ends) if (end.status === 'rejected' && !(end.reason instanceof Failure)) throw end.reason
    },
  ),
]
