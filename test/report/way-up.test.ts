// Reports on their way from a node through a staging server to the root, with real keys and
// certificates.

import t from 'tap'
import type { Envelope, Report, ReportBatch } from '../../src/model/report.ts'
import { openInbox } from '../../src/report/inbox.ts'
import { openOutbox } from '../../src/report/outbox.ts'
import { type Authority, createAuthorityCertificate, createNodeCertificate } from '../../src/trust/certificates.ts'
import { seal, verifyEnvelope } from '../../src/trust/envelope.ts'
import { keyIdOf, privateKeyFrom } from '../../src/trust/keys.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { clockAt, machine, reportOf } from './reports.ts'

const now = 1_800_000_000_000
const payloadType = 'application/vnd.banyan.report+json'

async function authorityOf(fleet: string): Promise<Authority> {
  const random = seededRandom(fleet)
  const privateKey = privateKeyFrom(random.bytes(32))
  return { fleet, privateKey, certificate: await createAuthorityCertificate({ fleet, privateKey }, { now, random }) }
}

interface Signer {
  sign(report: Report): Envelope
  keyId: string
  certificate: string
}

async function signerOf(authority: Authority, name: string): Promise<Signer> {
  const random = seededRandom(`${authority.fleet}/${name}`)
  const privateKey = privateKeyFrom(random.bytes(32))
  const der = await createNodeCertificate({ authority, name, publicKey: privateKey }, { now, random })
  const keyId = keyIdOf(privateKey)
  return {
    sign: (report) => seal({ payloadType, payload: Buffer.from(JSON.stringify(report)), privateKey, keyId }),
    keyId,
    certificate: Buffer.from(der).toString('base64'),
  }
}

async function tree() {
  const authority = await authorityOf('acme')
  const inboxOf = async () =>
    openInbox({
      store: await machine().store(),
      verify: (envelope, certificates) =>
        verifyEnvelope(envelope, { payloadType, certificates, ca: authority.certificate, now }),
      clock: clockAt(now),
      maxFutureMs: 60_000,
    })
  return {
    staging: { inbox: await inboxOf(), outbox: await openOutbox({ store: await machine().store() }) },
    root: { inbox: await inboxOf() },
    x: await signerOf(authority, 'x'),
    thief: await signerOf(authority, 'a'),
    stranger: await signerOf(await authorityOf('other'), 'x'),
  }
}

const report = reportOf('x', 3, { at: now })

function carrying(envelope: Envelope, { keyId, certificate }: Signer): ReportBatch {
  return { reports: [envelope], certificates: { [keyId]: certificate } }
}

t.test('the root reads what the node signed, and can check it', async (t) => {
  const { staging, root, x } = await tree()
  const { passUp } = await staging.inbox.accept(carrying(x.sign(report), x), 'x')
  await staging.outbox.put(passUp)
  const outgoing = await staging.outbox.take()
  t.same(outgoing?.batch, carrying(x.sign(report), x))
  const { accepted, attacks, refused } = await root.inbox.accept(
    outgoing?.batch ?? { reports: [], certificates: {} },
    'a',
  )
  t.same([accepted, attacks, refused], [['x'], [], []])
  t.same(await root.inbox.report('x'), report)
})

t.test('a staging server can change nothing in a report without being found out', async (t) => {
  const { root, x, thief, stranger } = await tree()
  const genuine = x.sign(report)
  const better = reportOf('x', 4, { at: now, problems: ['all is well'] })
  const payload = Buffer.from(JSON.stringify(better)).toString('base64')
  const cases: [string, ReportBatch][] = [
    ['another payload', carrying({ ...genuine, payload }, x)],
    ['another type', carrying({ ...genuine, payloadType: 'text/plain' }, x)],
    ['its own signature', carrying(thief.sign(better), thief)],
    [
      'its own signature under the key of the node',
      carrying(
        { ...thief.sign(better), signatures: [{ keyid: x.keyId, sig: thief.sign(better).signatures[0]?.sig ?? '' }] },
        x,
      ),
    ],
    ['its own certificate', carrying(genuine, { ...x, certificate: thief.certificate })],
    ['no certificate', { reports: [genuine], certificates: {} }],
    ['a certificate of another fleet', carrying(stranger.sign(better), stranger)],
  ]
  for (const [what, batch] of cases) {
    const { accepted, attacks } = await root.inbox.accept(batch, 'a')
    t.same(
      [accepted, attacks.map(({ kind, from }) => ({ kind, from }))],
      [[], [{ kind: 'report-forged', from: 'a' }]],
      what,
    )
  }
  t.same(root.inbox.knowledge(), [])
})
