// A node's report: how it is kept within limits, and when it is worth sending. Pure.

import { isDeepStrictEqual } from 'node:util'
import { limits } from '../model/limits.ts'
import { lineOf } from '../model/line.ts'
import type { Attack, Outcome, Report, Transfer } from '../model/report.ts'

/** Everything that a report has, of any length. The newest attacks are last. */
export type ReportParts = Omit<Report, 'schema' | 'truncated'>

/**
 * A report that every parser accepts, of at most `limits.reportMaxBytes` of JSON. What exceeds a
 * limit is cut, and a problem in the report tells how much. Packages that need attention are kept
 * before those that are as they should be, unfinished and new transfers before old ones, and new
 * attacks before old ones.
 */
export function buildReport(parts: ReportParts): Report {
  const notes: string[] = []
  const cut = <T>(
    list: readonly T[],
    { max, maxBytes, what }: { max: number; maxBytes: number; what: string },
  ): T[] => {
    const kept = thatFit(list.slice(0, max), maxBytes)
    if (kept.length < list.length) notes.push(`${list.length - kept.length} more ${what} are not in this report`)
    return kept
  }
  const problems = cut(parts.problems.map(boundedText), {
    max: limits.reportProblemsMax,
    maxBytes: limits.reportPartMaxBytes,
    what: 'problems',
  })
  const attacks = cut(parts.attacks.slice(-limits.attacksKept).reverse().map(boundedAttack), {
    max: limits.attacksKept,
    maxBytes: limits.reportPartMaxBytes,
    what: 'attacks',
  }).reverse()
  const transfers = cut([...parts.transfers].sort(byProgress), {
    max: limits.reportTransfersMax,
    maxBytes: 2 * limits.reportPartMaxBytes,
    what: 'transfers',
  })
  const refusals = cut(parts.refusals ?? [], {
    max: limits.refusalsKept,
    maxBytes: limits.reportPartMaxBytes,
    what: 'refused nodes',
  })
  const facts = Object.fromEntries(thatFit(boundedFacts(parts.facts), limits.reportPartMaxBytes))
  const { refusals: _, ...rest } = parts
  const others: Report = {
    ...{ schema: 1, ...rest, packages: [], transfers, attacks, facts, problems },
    ...(refusals.length > 0 && { refusals }),
  }
  const packages = cut(packagesWithin(parts.packages), {
    max: limits.policyPackagesMax,
    maxBytes: limits.reportMaxBytes - bytesOf(others) - notesMaxBytes,
    what: 'packages',
  }).sort((a, b) => compare(a.name, b.name))
  const truncated = parts.packages.length - packages.length
  return { ...others, packages, ...(truncated > 0 && { truncated }), problems: [...problems, ...notes] }
}

/** Room for four notes of one line each, and for the number of packages left out. */
const notesMaxBytes = 512

/**
 * Whether `next` differs from `previous` in more than the progress of transfers, or the heartbeat
 * is due. A heartbeat is due as well after the clock was set back, or the node would be silent
 * until the clock has caught up.
 */
export function reportWorthSending(previous: Report | undefined, next: Report): boolean {
  if (previous === undefined) return true
  const agoMs = next.at - previous.at
  return agoMs < 0 || agoMs >= limits.heartbeatMs || !isDeepStrictEqual(gistOf(previous), gistOf(next))
}

function gistOf(report: Report): unknown {
  const transfers = report.transfers.map(({ infoHash, state, startedAt, completedAt }) => ({
    infoHash,
    state,
    startedAt,
    completedAt,
  }))
  // Each retry of a child counts, and a difference between clocks is never twice the same.
  const refusals = report.refusals?.map(({ node, reason }) => ({ node, reason }))
  // Addresses come and go; another machine or start has its first report anyway.
  return { ...report, counter: 0, at: 0, clockAheadMs: 0, machine: undefined, transfers, refusals }
}

const urgencies: readonly Outcome['outcome'][] = ['failed', 'unread', 'held', 'changed', 'newer', 'skipped', 'kept']

function byUrgency(a: Outcome, b: Outcome): number {
  return urgencies.indexOf(a.outcome) - urgencies.indexOf(b.outcome) || compare(a.name, b.name)
}

const progress: readonly Transfer['state'][] = ['failed', 'waiting', 'fetching', 'wanted', 'complete']

function byProgress(a: Transfer, b: Transfer): number {
  return (
    progress.indexOf(a.state) - progress.indexOf(b.state) ||
    (b.completedAt ?? 0) - (a.completedAt ?? 0) ||
    compare(a.infoHash, b.infoHash)
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * The most urgent first. Details are shortened when all of them together would leave too little
 * room for packages.
 */
function packagesWithin(packages: readonly Outcome[]): Outcome[] {
  const isCrowded = bytesOf(packages) > limits.reportMaxBytes / 2
  const detailMaxChars = isCrowded ? limits.outcomeDetailShortChars : limits.outcomeDetailMaxChars
  return packages
    .map((each) => (each.detail === undefined ? each : { ...each, detail: each.detail.slice(0, detailMaxChars) }))
    .sort(byUrgency)
}

function boundedAttack(attack: Attack): Attack {
  return { ...attack, from: lineOf(attack.from), detail: boundedText(attack.detail) }
}

/**
 * Facts come from the machine's own files and tools; values that no report can carry are left out.
 * Sorted by name.
 */
function boundedFacts(facts: Report['facts']): [string, Report['facts'][string]][] {
  return Object.entries(facts)
    .filter(([, value]) => typeof value !== 'number' || Number.isFinite(value))
    .map(([key, value]): [string, Report['facts'][string]] => [
      lineOf(key),
      typeof value === 'string' ? lineOf(value) : value,
    ])
    .sort(([a], [b]) => compare(a, b))
    .slice(0, limits.reportFactsMax)
}

function boundedText(text: string): string {
  return text.slice(0, limits.reportTextMaxChars)
}

/** The items from the start of the list that take at most `maxBytes` of JSON together. */
function thatFit<T>(list: readonly T[], maxBytes: number): T[] {
  let room = maxBytes
  const end = list.findIndex((each) => {
    room -= bytesOf(each) + 1
    return room < 0
  })
  return end < 0 ? [...list] : list.slice(0, end)
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
