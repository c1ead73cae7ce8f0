// Checks the reports of one batch, and sorts them by what they mean beside what is known already.
// Nothing is stored here.

import { isDeepStrictEqual } from 'node:util'
import { Failure, unreachable } from '../model/failure.ts'
import type { Knowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import { lineOf } from '../model/line.ts'
import type { Instant, NodeName } from '../model/names.ts'
import { parseJson } from '../model/parse.ts'
import { type Attack, type Envelope, parseReport, type Report, type ReportBatch } from '../model/report.ts'
import { roughly } from '../model/units/durations.ts'
import { machinesAt } from '../model/wire/sightings.ts'
import { knowledgeOf } from './knowledge.ts'
import { verdictOn } from './merge.ts'
import { sightingsAfter } from './sightings.ts'
import { digestOf, keyIdOf, type SignedReport } from './signed-report.ts'

/**
 * Checks the signature of an envelope, with the certificates of its batch. Throws an `untrusted`
 * Failure for a signature that does not hold.
 */
export type VerifyEnvelope = (envelope: Envelope, certificates: ReportBatch['certificates']) => Signed

/** Key and begin of its certificate are left out where nobody compares keys. */
export interface Signed {
  node: NodeName
  payload: Uint8Array
  keyId?: string
  certifiedAt?: Instant
}

/** A report that is not kept, and that its sender has to know of. */
export interface Refused {
  /** Its place in the batch. */
  index: number
  /** Null if the signer is not known. */
  node: NodeName | null
  /** One line. */
  reason: string
  /** `later`: it may be accepted once a clock is right, or there is room. */
  retry: 'later' | 'never'
  /** It counts as an attack of whoever handed it over. */
  isAttack: boolean
}

type Checked =
  | { kind: 'genuine'; report: Report; digest: string; signed: Pick<Signed, 'keyId' | 'certifiedAt'> }
  | { kind: 'forged'; detail: string }
  | { kind: 'refused'; node: NodeName | null; reason: string; retry: Refused['retry'] }

/** A batch, sorted. `sortInto` adds to it, envelope by envelope. */
export interface Sorted {
  /** The newest report of each node of which something newer than before is known now. */
  newest: Map<NodeName, { knowledge: Knowledge; signed: SignedReport }>
  /** Nodes of which only another run was seen: no report of theirs is newer than the known one. */
  sighted: Map<NodeName, Knowledge>
  /** Reports that are known already. */
  duplicates: Map<NodeName, SignedReport>
  /** The first attack of each kind, and how many more of that kind the batch holds. */
  attacks: Map<Attack['kind'], { detail: string; more: number }>
  refused: Refused[]
}

export interface SortParts {
  /** The place of the envelope in its batch. */
  index: number
  verify: VerifyEnvelope
  /** Whether one more report of this node may be taken now. */
  mayReport: (node: NodeName) => boolean
  now: Instant
  /** How far ahead of our clock a report may claim that it was made. */
  maxFutureMs: number
  certificates: ReportBatch['certificates']
  /** The child that handed the batch over. */
  from: NodeName
  /** What was known before this batch. */
  known: ReadonlyMap<NodeName, Knowledge>
}

export function emptySorted(): Sorted {
  return { newest: new Map(), sighted: new Map(), duplicates: new Map(), attacks: new Map(), refused: [] }
}

/**
 * Checks one envelope and adds it to the sorted batch. Does not throw for anything that the
 * envelope holds.
 */
export function sortInto(sorted: Sorted, envelope: Envelope, parts: SortParts): void {
  const { index } = parts
  const checked = checkedReport(envelope, parts)
  switch (checked.kind) {
    case 'forged':
      addAttack(sorted, 'report-forged', checked.detail)
      refuse(sorted, { index, node: null, reason: checked.detail, retry: 'never', isAttack: true })
      break
    case 'refused': {
      const { node, reason, retry } = checked
      refuse(sorted, { index, node, reason, retry, isAttack: false })
      break
    }
    case 'genuine':
      sortGenuine(sorted, envelope, checked, parts)
      break
    default:
      unreachable(checked)
  }
}

function checkedReport(envelope: Envelope, { verify, now, maxFutureMs, certificates }: SortParts): Checked {
  let node: NodeName | null = null
  try {
    const verified = verify(envelope, certificates)
    node = verified.node
    const value = parseJson(verified.payload, `report of ${node}`, limits.reportMarksMax)
    const report = parseReport(value, `report of ${node}`)
    const padding = paddingOf(verified.payload, value)
    if (padding !== null) return { kind: 'refused', node, reason: `report of ${node} ${padding}`, retry: 'never' }
    if (report.node !== node) return { kind: 'forged', detail: `${node} signed a report of ${report.node}` }
    const aheadMs = report.at - now
    if (aheadMs > maxFutureMs) {
      const reason = `its clock is ${roughly(aheadMs)} ahead of the clock that it reports to`
      return { kind: 'refused', node, reason, retry: 'later' }
    }
    return { kind: 'genuine', report, digest: digestOf(verified.payload), signed: verified }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    if (error.code === 'untrusted') return { kind: 'forged', detail: error.message }
    // A certificate that ended while the report waited, or a newer format than ours: no attack.
    return { kind: 'refused', node, reason: error.message, retry: error.code === 'expired' ? 'never' : 'later' }
  }
}

function sortGenuine(
  sorted: Sorted,
  envelope: Envelope,
  { report, digest, signed: { keyId, certifiedAt } }: Extract<Checked, { kind: 'genuine' }>,
  { index, now, certificates, from, known, mayReport }: SortParts,
): void {
  const { node, counter } = report
  const signed = { node, counter, envelope, certificate: certificates[keyIdOf(envelope)] ?? null }
  const knowledgeNow = (name: NodeName) =>
    sorted.newest.get(name)?.knowledge ?? sorted.sighted.get(name) ?? known.get(name)
  const key = keyId?.slice(0, 16)
  const before = knowledgeNow(node)
  const verdict = verdictOn({ report, digest, from, key, certifiedAt }, knowledgeNow)
  if (verdict === 'late' || verdict === 'replayed') noteSighting(sorted, before, report, now)
  switch (verdict) {
    case 'newer':
      // Only news count: replays of a node's reports must not use up what the node itself may send.
      if (!mayReport(node)) {
        refuse(sorted, { index, node, reason: 'it reports more often than it may', retry: 'later', isAttack: false })
        break
      }
      if (!known.has(node) && known.size + sorted.newest.size >= limits.inboxMax) {
        const reason = `reports of ${limits.inboxMax} nodes are kept already`
        refuse(sorted, { index, node, reason, retry: 'later', isAttack: false })
        break
      }
      sorted.sighted.delete(node)
      sorted.newest.set(node, {
        knowledge: knowledgeOf(report, {
          ...{ digest, receivedAt: now, via: from, key, certifiedAt },
          // Runs under a former key have a home of their own by now, or are those of a thief.
          sightings: sightingsAfter(key === before?.key ? before?.sightings : undefined, report, now),
        }),
        signed,
      })
      break
    case 'duplicate':
      sorted.duplicates.set(node, signed)
      break
    case 'late':
      break
    case 'former-key':
      refuse(sorted, {
        ...{ index, node, reason: `it is signed with a key that ${node} has no longer` },
        ...{ retry: 'never', isAttack: false },
      })
      break
    case 'replayed': {
      // Of two machines with one home, the one whose clock is behind has the lower counters.
      if (machinesAt(knowledgeNow(node)?.sightings, now).length > 0) break
      const newest = knowledgeNow(node)
      // The node made this one later: its disk was put back. A replay is older.
      if (newest !== undefined && report.at > newest.at) {
        const reason = `its counter fell from ${newest.counter} to ${counter}: was its disk put back to an earlier state?`
        refuse(sorted, { index, node, reason, retry: 'later', isAttack: false })
        break
      }
      const reason = `report ${counter} of ${node} is not newer than ${newest?.counter}`
      addAttack(sorted, 'report-replayed', reason)
      refuse(sorted, { index, node, reason, retry: 'never', isAttack: true })
      break
    }
    default:
      unreachable(verdict)
  }
}

/** An older report says nothing of its node but this: which machine made it. */
function noteSighting(sorted: Sorted, before: Knowledge | undefined, report: Report, now: Instant): void {
  if (before === undefined) return
  const sightings = sightingsAfter(before.sightings, report, now)
  if (sightings === undefined || isDeepStrictEqual(sightings, before.sightings)) return
  const newest = sorted.newest.get(before.node)
  if (newest === undefined) sorted.sighted.set(before.node, { ...before, sightings })
  else newest.knowledge = { ...before, sightings }
}

function refuse({ refused }: Sorted, one: Refused): void {
  refused.push({ ...one, reason: lineOf(one.reason) })
}

function addAttack({ attacks }: Sorted, kind: Attack['kind'], detail: string): void {
  const seen = attacks.get(kind)
  if (seen === undefined) attacks.set(kind, { detail: detail.slice(0, limits.reportTextMaxChars / 2), more: 0 })
  else seen.more += 1
}

/** One attack of each kind: a flood of them is one deed, whose detail has their number. */
export function attacksIn({ attacks }: Sorted, from: NodeName, at: Instant): Attack[] {
  return [...attacks].map(([kind, { detail, more }]) => ({
    kind,
    from,
    at,
    detail: more === 0 ? detail : `${detail}, and ${more} more in one batch`,
  }))
}

/**
 * What is too much in a report; null if nothing is. Reports are kept and passed on as they were
 * signed, so blanks between their values would fill disks. A report is as `JSON.stringify` has it.
 */
function paddingOf(payload: Uint8Array, value: unknown): string | null {
  if (payload.byteLength > limits.reportMaxBytes) return `has more than ${limits.reportMaxBytes} bytes`
  const padding = payload.byteLength - Buffer.byteLength(JSON.stringify(value))
  return padding > 0 ? `has ${padding} bytes that say nothing` : null
}
