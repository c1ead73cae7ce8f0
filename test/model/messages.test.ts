// What another node says, at its largest and one step beyond.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { parseJson } from '../../src/model/parse.ts'
import { parseReport, parseReportBatch } from '../../src/model/report.ts'
import { parseAnnounce, parseHandout } from '../../src/model/wire/announce.ts'

const digest = (n: number) => n.toString(16).padStart(64, '0')
const infoHash = (n: number) => n.toString(16).padStart(40, '0')
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const peer = { node: 'a', address: '10.0.0.2', port: 7421, relation: 'sibling', site: 'berlin' }
const handoutWith = (swarms: Record<string, unknown>) => ({ intervalMs: 1000, site: 'berlin', swarms })
const handoutTo = (change: object) => parseHandout(handoutWith({ [infoHash(1)]: [{ ...peer, ...change }] }), 'handout')

t.test('a batch with more certificates than reports can be is refused', async (t) => {
  const batch = (count: number) => ({
    reports: [],
    certificates: Object.fromEntries(numbers(count).map((n) => [digest(n), 'AAAA'])),
  })
  t.ok(parseReportBatch(batch(limits.reportBatchMax), 'reports'))
  t.throws(() => parseReportBatch(batch(limits.reportBatchMax + 1), 'reports'), {
    code: 'bad-input',
    message: /certificates: expected at most 500 certificates/,
  })
})

t.test('the largest genuine messages stay below their bound of marks', async (t) => {
  const reports = numbers(limits.reportBatchMax).map((n) => ({
    payloadType: 'application/vnd.banyan.report+json',
    payload: 'AAAA',
    signatures: [{ keyid: digest(n), sig: 'AAAA' }],
  }))
  const certificates = Object.fromEntries(numbers(limits.reportBatchMax).map((n) => [digest(n), 'AAAA']))
  const batch = JSON.stringify({ reports, certificates })
  t.ok(parseReportBatch(parseJson(batch, 'reports', limits.reportBatchMarksMax), 'reports'))

  const swarms = numbers(limits.announcedUnfinishedMax).map((n) => ({
    infoHash: infoHash(n),
    manifest: digest(n),
    have: 'none',
  }))
  const announce = JSON.stringify({ swarmPort: 1, site: 'berlin', swarms })
  t.ok(parseAnnounce(parseJson(announce, 'announce', limits.announceMarksMax), 'announce'))

  const alone = Object.fromEntries(numbers(limits.handoutPeersMax).map((n) => [infoHash(n), [peer]]))
  const handout = JSON.stringify(handoutWith(alone))
  t.ok(parseHandout(parseJson(handout, 'handout', limits.announceMarksMax), 'handout'))

  const outcome = {
    name: 'a',
    kind: null,
    outcome: 'kept',
    version: null,
    before: null,
    difference: null,
  }
  const packages = numbers(Math.floor(limits.reportMaxBytes / JSON.stringify(outcome).length)).map(() => outcome)
  const report = { schema: 1, node: 'a', counter: 1, at: 1, version: '1', site: null, labels: {}, parent: null }
  const rest = { revision: 1, converged: 1, state: 'converged', transfers: [], attacks: [], facts: {}, problems: [] }
  const text = JSON.stringify({ ...report, ...rest, arch: 'amd64', packages })
  t.ok(parseReport(parseJson(text, 'report', limits.reportMarksMax), 'report'))
})

t.test('a handout sends a child to addresses only, never to names', async (t) => {
  for (const address of [
    null,
    '10.0.0.2',
    '255.255.255.255',
    '::1',
    '2001:db8::7',
    '2001:db8:0:1:2:3:4:5',
    'fe80::1',
  ]) {
    t.ok(handoutTo({ address }), `${address}`)
  }
  const names = [
    'example.com',
    'localhost',
    '',
    '10.0.0',
    '10.0.0.256',
    '0x7f.1',
    '1::2::3',
    ' 10.0.0.2',
    'fe80::1%eth0',
  ]
  for (const address of [...names, `${'1:'.repeat(300)}1`, '10.0.0.2:80', '[::1]']) {
    t.throws(() => handoutTo({ address }), { code: 'bad-input' }, address.slice(0, 60))
  }
})

t.test('a handout names ports that can be dialled', async (t) => {
  for (const port of [1, 65_535]) t.ok(handoutTo({ port }))
  for (const port of [0, -1, 65_536, 1.5, '80']) t.throws(() => handoutTo({ port }), { code: 'bad-input' }, `${port}`)
})

t.test('a handout names no more peers than a tracker hands out, in one swarm and in all', async (t) => {
  const peers = (count: number) => numbers(count).map(() => peer)
  const most = limits.peersPerHandoutMax + 1
  t.ok(parseHandout(handoutWith({ [infoHash(1)]: peers(most) }), 'handout'))
  t.throws(() => parseHandout(handoutWith({ [infoHash(1)]: peers(most + 1) }), 'handout'), { code: 'bad-input' })
  const swarms = (count: number) => Object.fromEntries(numbers(count).map((n) => [infoHash(n), peers(50)]))
  t.ok(parseHandout(handoutWith(swarms(limits.handoutPeersMax / 50)), 'handout'))
  t.throws(() => parseHandout(handoutWith(swarms(limits.handoutPeersMax / 50 + 1)), 'handout'), {
    message: /expected at most 6000 peers/,
  })
})
