// Answers of a daemon, whole and of the types that the daemon writes them in.

import type { AnswerCall, AnswerOf, LineCall, LineOf } from '../../src/model/local-api/calls.ts'
import type { MeasuredTransfer, NodeInfo } from '../../src/model/local-api/nodes.ts'
import type { Published } from '../../src/model/local-api/packages.ts'
import type { Plan } from '../../src/model/local-api/releasing.ts'
import type { RolloutInfo } from '../../src/model/local-api/rollouts.ts'
import type { Counts, Status } from '../../src/model/local-api/status.ts'
import type { Report, Transfer } from '../../src/model/report.ts'
import type { LocalRequest, LocalResponse } from '../../src/world/local.ts'

export type Answer = (request: LocalRequest) => Promise<LocalResponse>

export function answerTo<Call extends AnswerCall>(_call: Call, value: AnswerOf<Call>): Answer {
  return rawAnswer(value)
}

/** Of a daemon of another version, or a hostile one. */
export function rawAnswer(value: unknown): Answer {
  return async () => ({ status: 200, json: value })
}

export function linesOf<Call extends LineCall>(_call: Call, values: readonly LineOf<Call>[]): Answer {
  return async () => ({
    status: 200,
    lines: (async function* () {
      yield* values
    })(),
  })
}

const infoHash = 'cd'.repeat(20)

export const node: NodeInfo = {
  node: 'shop-7',
  counter: 9,
  digest: '0123456789abcdef',
  at: 0,
  receivedAt: 0,
  via: 'berlin',
  version: '0.1.0',
  arch: 'amd64',
  site: 'berlin',
  parent: 'berlin',
  revision: 5,
  converged: 4,
  state: 'pending',
  packages: 12,
  failed: 0,
  drifted: 0,
  newer: 0,
  refusals: [],
  clockAheadMs: 0,
  attacks: 0,
  attackedAt: 0,
  problems: 0,
  reboot: false,
  restarts: 0,
  crossings: [],
  worstTime: null,
  condition: 'pending',
  ageMs: 12_000,
}

export const report: Report = {
  schema: 1,
  node: 'shop-7',
  counter: 9,
  at: 0,
  version: '0.1.0',
  site: 'berlin',
  labels: {},
  parent: 'berlin',
  revision: 5,
  converged: 4,
  state: 'pending',
  packages: [],
  transfers: [],
  attacks: [],
  arch: 'amd64',
  facts: {},
  problems: [],
}

export const transfer: Transfer = {
  infoHash,
  name: 'shop',
  version: '4.2.0',
  size: 2048,
  have: 1024,
  state: 'fetching',
  fromParent: 0,
  fromSiblings: 0,
  overLink: 0,
  given: 0,
  startedAt: null,
  completedAt: null,
}

export const measured: MeasuredTransfer = {
  infoHash,
  name: 'shop',
  version: '4.1',
  size: 2048,
  completedAt: 0,
  linkRate: null,
  overLink: 1,
  fromSiblings: 0,
  durationMs: 90_000,
  time: null,
}

export const noNodes: Counts = {
  nodes: 0,
  converged: 0,
  pending: 0,
  applying: 0,
  failed: 0,
  island: 0,
  stale: 0,
  refused: 0,
  silent: 0,
}

export const status: Status = {
  node: 'shop-7',
  at: 0,
  revision: 5,
  summary: {
    ...noNodes,
    byRevision: {},
    oldest: null,
    withFailures: 0,
    withDrift: 0,
    withNewer: 0,
    withAttacks: 0,
    withProblems: 0,
    withReboot: 0,
    withRestarts: 0,
  },
  sites: [],
  parents: [],
  refused: [],
  attention: [],
  attentionLeftOut: 0,
  self: node,
  link: { kind: 'seeking' },
  applying: false,
  problems: [],
  payloads: { whole: 0, unfinished: 0 },
  transfers: [],
  rates: { upload: null, download: null, link: { upload: null, download: null } },
  heldBack: null,
}

export const published: Published = {
  name: 'shop',
  version: '4.2.0',
  arch: 'all',
  kind: 'tree',
  summary: '',
  depends: [],
  installedSize: 0,
  payload: { via: 'swarm', size: 20 * 1024 * 1024, pieceLength: 256 * 1024, sha256: 'ab'.repeat(32) },
  manifest: 'ef'.repeat(32),
  published: 0,
  outcome: 'published',
  warnings: [],
}

export const rollout: RolloutInfo = {
  name: 'careful@12',
  state: 'halted',
  halted: '3 of 98 nodes failed',
  packages: [{ name: 'shop', versions: ['4.2.0'] }],
  waves: [1, 10, 100],
  open: 2,
  openedAt: 0,
  nextInMs: null,
  soakMs: 1_800_000,
  haltFailed: 2,
  tally: { nodes: 98, done: 90, failed: 3, underway: 5, held: 0, silent: 0 },
  failed: [{ node: 'shop-7', package: 'shop', detail: 'exit code 1' }],
}

export const plan: Plan = {
  revision: 6,
  before: 5,
  nodes: 4,
  changing: 3,
  changes: [
    {
      name: 'shop',
      what: 'upgrade',
      from: '4.1.0',
      to: '4.2.0',
      state: 'planned',
      nodes: ['shop-1', 'shop-2', 'shop-3', 'shop-4'],
    },
  ],
  sites: [
    { site: 'berlin', packages: 1, bytes: 2 ** 21, observedRate: 2 ** 20, seconds: 2, changing: 2 },
    { site: 'oslo', packages: 1, bytes: 2 ** 21, observedRate: null, seconds: null, changing: 1 },
  ],
  removals: { installed: 9, removed: 3, refused: true },
  unmet: [
    {
      package: 'shop',
      version: '4.2.0',
      needs: 'libshop (>= 2)',
      line: 12,
      rule: { nodes: 'all', except: [] },
      state: 'missing',
      count: 2,
      nodes: ['shop-1', 'shop-2'],
      published: null,
    },
  ],
  unknown: { silent: ['shop-9'], behind: [], cut: [], absent: [{ name: 'telnetd', nodes: 2 }], unbuilt: [] },
  warnings: ['policy.yaml: no rule uses the group web'],
}
