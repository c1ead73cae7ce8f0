// What nodes send each other on the control port, and what commands send to the daemon.

import assert from 'node:assert/strict'
import { Failure } from '../../../src/model/failure.ts'
import { limits } from '../../../src/model/limits.ts'
import { readAnswer } from '../../../src/model/local-api/readable.ts'
import { bodyParsers } from '../../../src/model/local-api/requests.ts'
import { parseJson } from '../../../src/model/parse.ts'
import { parseReport, parseReportBatch, reportSchema } from '../../../src/model/report.ts'
import { parseAnnounce, parseHandout } from '../../../src/model/wire/announce.ts'
import { cutFrames, digestsIn, framesOf, parseFrames } from '../../../src/model/wire/object-frames.ts'
import { packed } from '../../../src/model/wire/packed.ts'
import { parseReachAnswer } from '../../../src/model/wire/reach.ts'
import { parseReportsAnswer } from '../../../src/model/wire/reports-answer.ts'
import { parseRetryAfter } from '../../../src/model/wire/retry-after.ts'
import { emptySorted, sortInto } from '../../../src/report/incoming.ts'
import {
  bucketsAskedFor,
  differingBuckets,
  parseBucketDigests,
} from '../../../src/trust/admission/revocation-buckets.ts'
import { parseRevocations } from '../../../src/trust/admission/revocation-statements.ts'
import { parseEnrolRequest, parseRenewal, refusalOf } from '../../../src/trust/enrolment.ts'
import { type FuzzTarget, textOf } from '../target.ts'

const infoHash = 'b'.repeat(40)
const sha256 = 'a'.repeat(64)
const at = 1_777_593_600_000
const report = {
  ...{ schema: 1, node: 'till-1', counter: 7, at, version: '0.1.0', site: 'berlin', labels: { role: 'till' } },
  ...{ parent: 'root', revision: 3, converged: 3, state: 'converged' },
  packages: [
    {
      ...{ name: 'shop', kind: 'deb', outcome: 'kept', version: '4.2.0', before: null, difference: null },
      detail: '',
    },
  ],
  ...{ transfers: [], attacks: [], arch: 'amd64', facts: { 'os.codename': 'bookworm', cores: 4 }, problems: ['x'] },
  machine: { id: '0'.repeat(16), run: '1'.repeat(16), addresses: ['10.0.0.1'] },
}
const envelope = {
  payloadType: 'application/vnd.banyan.report.v1+json',
  payload: Buffer.from(JSON.stringify(report)).toString('base64'),
  signatures: [{ keyid: sha256, sig: 'c'.repeat(86) }],
}
const revocation = { node: 'till-1', keyId: sha256, at, sig: `${'A'.repeat(86)}==` }
const refused = { failure: { code: 'refused', message: 'no\nmore', hint: 'ask' } }
const keys = ['__proto__', 'constructor', 'toString', 'valueOf', 'node', 'site', 'berlin', 'failure', 'message']

/** A target for a message that is JSON. */
function json(
  name: string,
  parsers: readonly string[],
  examples: readonly unknown[],
  run: (value: unknown) => unknown,
  marksMax: number = limits.messageMarksMax,
): FuzzTarget {
  return {
    ...{ name, format: 'json', words: keys, parsers: [...parsers, 'src/model/parse.ts'] },
    examples: examples.map((each) => JSON.stringify(each)),
    run: (bytes) => run(parseJson(bytes, name, marksMax)),
  }
}

const wireFolder = 'src/model/wire'
const bodies = {
  'POST /publish': { path: '/tmp/shop.deb', name: 'shop', target: { 'os.codename': 'trixie' } },
  'POST /release': { message: 'm', allowRemovals: false },
  'POST /rollback': { revision: 3, message: 'm', allowRemovals: true },
  'POST /rollback/plan': { revision: 3 },
  'POST /diff': { from: 1, to: 2 },
  'POST /rollouts': { rollout: 'careful@12', action: 'halt', because: 'x' },
  'POST /tokens': { ttlMs: 3600_000, uses: 1, parents: ['https://root:7420'], replaces: 'till-1' },
  'POST /identity': { keyId: sha256 },
}

export const targets: FuzzTarget[] = [
  json(
    'announce',
    [`${wireFolder}/announce.ts`, `${wireFolder}/packed.ts`],
    [
      {
        ...{ swarmPort: 7421, controlPort: 7420, site: 'berlin', addresses: ['10.0.0.1', '2001:db8::1'], alone: true },
        swarms: [{ infoHash, manifest: sha256, have: 'some', bytes: 3, from: [{ node: 'till-2', bytes: 3 }] }],
        whole: { digest: infoHash, listed: 'all', infoHashes: packed([infoHash]), gone: '' },
      },
    ],
    (value) => parseAnnounce(value, 'announce'),
    limits.announceMarksMax,
  ),
  json(
    'handout',
    [`${wireFolder}/announce.ts`],
    [
      {
        ...{ intervalMs: 1000, site: '10.0.0.0/24', objects: { node: 'till-2', address: '10.0.0.2', port: 1 } },
        swarms: {
          [infoHash]: [
            { node: 'root', address: null, port: 7421, relation: 'parent', site: null },
            { node: 'till-2', address: '10.0.0.2', others: ['::1'], port: 1, relation: 'sibling', site: 'berlin' },
          ],
        },
      },
    ],
    (value) => parseHandout(value, 'handout'),
    limits.announceMarksMax,
  ),
  json(
    'reports',
    ['src/model/report.ts'],
    [{ reports: [envelope], certificates: { [sha256]: 'AAAA' } }],
    (value) => parseReportBatch(value, 'reports'),
    limits.reportBatchMarksMax,
  ),
  json(
    'report',
    ['src/report/incoming.ts', 'src/report/knowledge.ts', 'src/report/sightings.ts', 'src/report/merge.ts'],
    [report, { ...report, counter: 2 ** 53 - 1, state: 'failed' }],
    (value) => {
      const payload = new TextEncoder().encode(JSON.stringify(value) ?? 'null')
      const sorted = emptySorted()
      // A signature holds for whatever its node has signed.
      sortInto(sorted, envelope, {
        ...{ index: 0, now: at, maxFutureMs: 60_000, certificates: {}, from: 'till-1', known: new Map() },
        ...{ verify: () => ({ node: 'till-1', payload }), mayReport: () => true },
      })
      for (const { reason } of sorted.refused) assert(reason.length < 4096, 'a reason is too long')
      parseReport(value, 'report')
      assert(Object.keys(reportSchema.entries).length > 0)
    },
    limits.reportMarksMax,
  ),
  json(
    'reports-answer',
    [`${wireFolder}/reports-answer.ts`],
    [
      {
        accepted: 1,
        refused: [{ index: 0, reason: 'x', retry: 'never' }],
        moved: [{ node: 'till-1', counter: 3 }],
        now: at,
      },
    ],
    (value) => parseReportsAnswer(value, 'answer'),
    limits.reportBatchMarksMax,
  ),
  json(
    'reach',
    [`${wireFolder}/reach.ts`],
    [{ address: '10.0.0.1', swarmPort: 0, control: null, swarm: 'x' }],
    (value) => parseReachAnswer(value, 'reach'),
  ),
  json(
    'enrol',
    ['src/trust/enrolment.ts'],
    [
      { tokenId: '0'.repeat(16), csr: 'AAAA', hmac: 'AAAA', former: { envelope, certificate: 'AAAA' } },
      { renew: envelope, certificate: 'AAAA' },
    ],
    (value) => parseEnrolRequest(value, 'request'),
  ),
  json('renewal', ['src/trust/enrolment.ts'], [{ node: 'till-1', at }], (value) => parseRenewal(value, 'renewal')),
  json('refusal', ['src/trust/enrolment.ts', 'src/model/line.ts'], [refused, { failure: null }, 'no'], (value) => {
    assert(refusalOf(value, 403, 'the parent').message.length < 4096)
  }),
  {
    ...{ name: 'revocations', format: 'json', parsers: ['src/trust/admission/revocation-statements.ts'], words: keys },
    examples: [JSON.stringify([revocation])],
    run: (bytes) => parseRevocations(bytes, 'revocations'),
  },
  {
    ...{ name: 'revocation-buckets', format: 'text', parsers: ['src/trust/admission/revocation-buckets.ts'] },
    ...{ examples: ['00,ff'], words: [',', 'ff', '0'] },
    run: (bytes) => {
      const text = textOf(bytes)
      assert(bucketsAskedFor(text, 16).length <= 16)
      try {
        differingBuckets(String(parseBucketDigests(text, 'digests')), '')
      } catch (error) {
        if (!(error instanceof Failure)) throw error
      }
    },
  },
  {
    ...{ name: 'object-frames', format: 'bytes', parsers: [`${wireFolder}/object-frames.ts`] },
    examples: [framesOf([Buffer.from('abc'), undefined, 'failed', new Uint8Array(0)])],
    words: ['\xff\xff\xff\xff', '\xff\xff\xff\xfe', '\0\0\0\x01a'],
    run: (bytes) => {
      const { found, begun } = cutFrames(bytes, 4)
      assert(found.length <= 4 && begun.length <= bytes.length)
      assert.deepEqual(Buffer.from(framesOf(parseFrames(bytes, 4))), Buffer.from(bytes))
    },
  },
  {
    ...{
      name: 'objects-path',
      format: 'text',
      parsers: [`${wireFolder}/object-frames.ts`, `${wireFolder}/retry-after.ts`],
    },
    ...{ examples: [`/v1/objects/${sha256},${sha256}`, '30'], words: [sha256, ',', '/v1/objects/'] },
    run: (bytes) => {
      assert((digestsIn(textOf(bytes))?.length ?? 0) <= limits.objectsPerAskMax)
      assert((parseRetryAfter(textOf(bytes)) ?? 0) >= 0)
    },
  },
  json('local-bodies', ['src/model/local-api/requests.ts'], Object.entries(bodies), (value) => {
    const [call, body] = Array.isArray(value) ? value : []
    const parsers = new Map<unknown, (body: unknown) => unknown>(Object.entries(bodyParsers))
    parsers.get(call)?.(body)
  }),
  json('local-answer', ['src/model/local-api/readable.ts'], [report], (value) => readAnswer(reportSchema, value)),
]
