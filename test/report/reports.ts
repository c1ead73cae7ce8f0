// Reports to try things on, signed in a way that only looks like signing: real signatures are
// tested with trust.

import { createHash } from 'node:crypto'
import { Failure } from '../../src/model/failure.ts'
import type { Knowledge } from '../../src/model/knowledge.ts'
import type { Envelope, Outcome, Report, ReportBatch, Transfer } from '../../src/model/report.ts'
import type { VerifyEnvelope } from '../../src/report/incoming.ts'
import { knowledgeOf } from '../../src/report/knowledge.ts'
import type { SignedReport } from '../../src/report/signed-report.ts'
import type { Clock, Store } from '../../src/world/world.ts'
import { createSimulation, type SimulatedNode } from '../world/simulation.ts'

export function reportOf(node: string, counter: number, rest: Partial<Report> = {}): Report {
  return {
    schema: 1,
    node,
    counter,
    at: 1_800_000_000_000 + counter,
    version: '0.1.0',
    site: 'berlin',
    labels: {},
    parent: 'parent',
    revision: 4,
    converged: 4,
    state: 'converged',
    packages: [],
    transfers: [],
    attacks: [],
    arch: 'amd64',
    facts: {},
    problems: [],
    ...rest,
  }
}

/** What is kept in memory of it, come from `a` just as it was made unless it says otherwise. */
export function knownFrom(report: Report, receivedAt = report.at): Knowledge {
  return knowledgeOf(report, { digest: '0123456789abcdef', receivedAt, via: 'a' })
}

export function outcomeOf(name: string, rest: Partial<Outcome> = {}): Outcome {
  return { name, kind: 'deb', outcome: 'kept', version: '1.0', before: '1.0', difference: null, ...rest }
}

export function transferOf(index: number, rest: Partial<Transfer> = {}): Transfer {
  return {
    infoHash: index.toString(16).padStart(40, '0'),
    name: `package-${index}`,
    version: '1.0',
    size: 10,
    have: 0,
    state: 'fetching',
    fromParent: 0,
    fromSiblings: 0,
    overLink: 0,
    given: 0,
    startedAt: 1,
    completedAt: null,
    ...rest,
  }
}

/** `signer` is also the key id. */
export function sealed(report: unknown, signer: string): Envelope {
  const payload = Buffer.from(JSON.stringify(report)).toString('base64')
  return {
    payloadType: 'application/vnd.banyan.report+json',
    payload,
    signatures: [{ keyid: signer, sig: signatureOf(payload, signer) }],
  }
}

export function forged(envelope: Envelope): Envelope {
  return { ...envelope, signatures: [{ keyid: envelope.signatures[0]?.keyid ?? '', sig: 'forged' }] }
}

export const verify: VerifyEnvelope = (envelope) => {
  const { keyid: signer = '', sig = '' } = envelope.signatures[0] ?? {}
  if (sig !== signatureOf(envelope.payload, signer)) {
    throw new Failure('untrusted', `signature of ${signer} does not hold`)
  }
  return { node: signer, payload: Buffer.from(envelope.payload, 'base64') }
}

export function certificateOf(node: string): string {
  return `certificate of ${node}`
}

export function batchOf(...envelopes: Envelope[]): ReportBatch {
  const signers = envelopes.map((envelope) => envelope.signatures[0]?.keyid ?? '')
  return { reports: envelopes, certificates: Object.fromEntries(signers.map((node) => [node, certificateOf(node)])) }
}

export function batchWith(...reports: Report[]): ReportBatch {
  return batchOf(...reports.map((report) => sealed(report, report.node)))
}

export function signedOf(node: string, counter: number, rest: Partial<Report> = {}): SignedReport {
  return { node, counter, envelope: sealed(reportOf(node, counter, rest), node), certificate: certificateOf(node) }
}

/** What an envelope says. */
export function reportIn(envelope: Envelope): Report {
  return JSON.parse(Buffer.from(envelope.payload, 'base64').toString())
}

/** Stands still; what waits for others to have their turn goes on at once. */
export function clockAt(now: number): Pick<Clock, 'now' | 'after'> {
  return {
    now: () => now,
    after: (_ms, callback) => {
      queueMicrotask(callback)
      return { cancel: () => {} }
    },
  }
}

export interface Machine {
  store(): Promise<Store>
  /** Ends the program; what had been acknowledged is in the store that opens next. */
  crash(): Promise<Store>
  node: SimulatedNode
}

export function machine(seed = '1'): Machine {
  const node = createSimulation({ seed }).node({ address: '10.0.0.1' })
  const open = () => node.world.openStore('/state')
  return {
    store: open,
    async crash() {
      node.crash()
      node.restart()
      return await open()
    },
    node,
  }
}

function signatureOf(payload: string, signer: string): string {
  return createHash('sha256').update(`${signer} ${payload}`).digest('base64')
}
