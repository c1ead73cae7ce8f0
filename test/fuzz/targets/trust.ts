// Certificates, envelopes, join strings and metadata.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import { parseJson } from '../../../src/model/parse.ts'
import {
  createAuthorityCertificate,
  createEnrolmentCertificate,
  createNodeCertificate,
  createRequest,
  readRequest,
} from '../../../src/trust/certificates.ts'
import { parseEnrolRequest } from '../../../src/trust/enrolment.ts'
import { seal, verifyEnvelope } from '../../../src/trust/envelope.ts'
import { certificateOf, checkIssued, identityOf, nodeIdentityFrom, tlsIdentityOf } from '../../../src/trust/identity.ts'
import { keyIdOf, privateKeyFrom, privateKeyFromPem, privateKeyPem, publicKeyFromDer } from '../../../src/trust/keys.ts'
import { fieldsOf, isMetadataFile } from '../../../src/trust/metadata.ts'
import { formatToken, keysOfSecret, parseToken } from '../../../src/trust/token.ts'
import { readFloors } from '../../../src/trust/trusted-folder.ts'
import { copyFrom, follow } from '../../../src/trust/tuf-client.ts'
import { acme, publishRevision, revision } from '../../trust/acme.ts'
import { seededRandom } from '../../world/seeded-random.ts'
import { bytesOf, diskWith, type FuzzTarget, textOf } from '../target.ts'

const random = seededRandom('fuzz')
const now = 1_777_593_600_000
const making = { now, random }
const fleetKey = privateKeyFrom(random.bytes(32))
const nodeKey = privateKeyFrom(random.bytes(32))
const ca = await createAuthorityCertificate({ fleet: 'acme', privateKey: fleetKey }, making)
const authority = { fleet: 'acme', certificate: ca, privateKey: fleetKey }
const certificate = await createNodeCertificate({ authority, name: 'till-1', publicKey: nodeKey }, making)
const secret = random.bytes(32)
const enrolment = await createEnrolmentCertificate(
  { authority, tokenId: '0123456789abcdef', publicKey: keysOfSecret(secret).tls, notAfter: now + 3600_000 },
  making,
)
const token = formatToken({
  ...{
    parents: ['https://root@10.0.0.1:7420'],
    secret,
    rootSha256: 'a'.repeat(64),
    timestampVersion: 3,
    issuedAt: now,
  },
  ...{ certificate: enrolment, ca },
})
const payloadType = 'application/vnd.banyan.report.v1+json'
const keyId = keyIdOf(nodeKey)
const envelope = seal({ payloadType, payload: bytesOf('{"schema":1}'), privateKey: nodeKey, keyId })
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const timestamp = {
  signatures: [{ keyid: 'a', sig: 'b' }],
  signed: {
    ...{ _type: 'timestamp', spec_version: '1.0.31', version: 3, expires: '2026-12-01T00:00:00Z' },
    ...{ 'x-banyan-signed-at': now, meta: { 'snapshot.json': { version: 3 } } },
  },
}
const { fleet } = await acme()
await publishRevision(fleet, revision(1))
const names = ['timestamp.json', '1.root.json', '2.snapshot.json', '2.targets.json']
const files = new Map<string, Uint8Array>()
for (const name of names) {
  const bytes = await fleet.file(name)
  if (bytes !== undefined) files.set(name, bytes)
}
const root = files.get('1.root.json') as Uint8Array
const tufWords = ['root', 'timestamp', 'keyids', 'threshold', 'ed25519', 'signatures', 'x-banyan-signed-at', 'expires']
const floors = {
  ...{
    root: 1,
    timestamp: 3,
    snapshot: 2,
    targets: 2,
    rollouts: 1,
    signedAt: now,
    timestampKeys: 'a',
    snapshotKeys: null,
  },
}

export const targets: FuzzTarget[] = [
  {
    ...{ name: 'certificate', format: 'bytes', parsers: ['src/trust/identity.ts'] },
    ...{
      examples: [certificate, enrolment],
      words: ['banyan:node:', 'CN=', 'enrol', '\x30\x82', '\x06\x03\x2b\x65\x70'],
    },
    run: (bytes) => {
      const identity = identityOf(bytes)
      if (identity.role === 'node') assert.match(identity.name, /^[a-z0-9.-]+$/)
    },
  },
  {
    ...{ name: 'issued', format: 'bytes', parsers: ['src/trust/identity.ts'], examples: [certificate, enrolment] },
    run: (bytes) => checkIssued(certificateOf(bytes, 'certificate'), certificateOf(ca, 'authority')),
  },
  {
    ...{ name: 'authority', format: 'bytes', parsers: ['src/trust/identity.ts', 'src/trust/keys.ts'], examples: [ca] },
    run: (bytes) => nodeIdentityFrom(tlsIdentityOf(nodeKey, certificate, bytes)),
  },
  {
    ...{ name: 'certificate-request', format: 'bytes', parsers: ['src/trust/certificates.ts', 'src/trust/keys.ts'] },
    examples: [await createRequest('till-1', nodeKey)],
    run: (bytes) => readRequest(bytes),
  },
  {
    ...{ name: 'keys', format: 'bytes', parsers: ['src/trust/keys.ts'] },
    examples: [privateKeyPem(nodeKey)],
    run: (bytes) => {
      privateKeyFromPem(textOf(bytes), 'node key')
      if (!textOf(bytes).includes('PRIVATE')) publicKeyFromDer(bytes, 'key')
    },
  },
  {
    ...{ name: 'envelope', format: 'json', parsers: ['src/trust/envelope.ts', 'src/trust/identity.ts'] },
    examples: [JSON.stringify({ renew: envelope, certificate: base64(certificate) })],
    words: [payloadType, keyId, '=', '==', ' '],
    run: (bytes) => {
      const request = parseEnrolRequest(parseJson(bytes, 'request'), 'request')
      if (!('renew' in request)) return
      const keyid = request.renew.signatures[0]?.keyid ?? ''
      // The root looks who asks before it checks who issued the certificate.
      identityOf(Buffer.from(request.certificate, 'base64'))
      verifyEnvelope(request.renew, { payloadType, certificates: { [keyid]: request.certificate }, ca, now })
    },
  },
  {
    ...{ name: 'join-string', format: 'text', parsers: ['src/trust/token.ts'] },
    ...{ examples: [token], words: ['banyan1.', '-', '_', '\n'], maxBytes: 8192 },
    run: (bytes) => parseToken(textOf(bytes), now),
  },
  {
    ...{ name: 'join-payload', format: 'json', parsers: ['src/trust/token.ts'], maxBytes: 4096 },
    examples: [inflateSync(Buffer.from(token.slice('banyan1.'.length), 'base64url'))],
    words: [base64(ca), base64(certificate), 'https://x'],
    run: (bytes) => parseToken(`banyan1.${deflateSync(bytes).toString('base64url')}`, now),
  },
  {
    ...{ name: 'metadata-fields', format: 'json', parsers: ['src/trust/metadata.ts'] },
    examples: [JSON.stringify(timestamp)],
    run: (bytes) => {
      assert(Number.isFinite(fieldsOf(bytes, 'timestamp.json').expires))
      assert(!isMetadataFile(`../${createHash('sha1').update(bytes).digest('hex')}`))
    },
  },
  {
    ...{ name: 'tuf-root', format: 'json', parsers: ['src/trust/tuf-client.ts'], words: tufWords },
    examples: [root],
    run: (bytes) =>
      follow(
        copyFrom(bytes),
        (file) => fleet.file(file),
        () => now,
      ),
  },
  ...['timestamp.json', '2.snapshot.json', '2.targets.json'].map((file): FuzzTarget => {
    return {
      ...{ name: `tuf-${file.slice(0, -5)}`, format: 'json', parsers: ['src/trust/tuf-client.ts'], words: tufWords },
      examples: [files.get(file) as Uint8Array],
      run: (bytes) =>
        follow(
          copyFrom(root),
          async (asked) => (asked === file ? bytes : await fleet.file(asked)),
          () => now,
        ),
    }
  }),
  {
    ...{ name: 'floors', format: 'json', parsers: ['src/trust/floors.ts', 'src/trust/trusted-folder.ts'] },
    examples: [JSON.stringify(floors)],
    run: (bytes) => readFloors('/tuf', diskWith(bytes)),
  },
]
