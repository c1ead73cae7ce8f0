// Which of two versions of a package is newer, by the rules of the package's own kind.

import { unreachable } from './failure.ts'
import type { Kind } from './manifest.ts'
import type { PackageVersion } from './names.ts'

/**
 * Below 0 if `a` is older than `b`, above 0 if it is newer, 0 if they are equal. Different texts
 * can be equal (`1.0`, `1.00`).
 */
export function compareVersions(kind: Kind, a: PackageVersion, b: PackageVersion): number {
  switch (kind) {
    case 'deb':
    case 'tree':
      return compareDeb(a, b)
    case 'rpm':
      return compareRpm(a, b)
    default:
      return unreachable(kind)
  }
}

/** Debian Policy 5.6.12. */
function compareDeb(a: string, b: string): number {
  const [first, second] = [debPartsOf(a), debPartsOf(b)]
  return (
    compareNumbers(first.epoch, second.epoch) ||
    compareDebParts(first.upstream, second.upstream) ||
    compareDebParts(first.revision, second.revision)
  )
}

function debPartsOf(version: string): { epoch: string; upstream: string; revision: string } {
  const { epoch, rest } = epochOf(version)
  const dash = rest.lastIndexOf('-')
  return dash < 0
    ? { epoch, upstream: rest, revision: '' }
    : { epoch, upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) }
}

/**
 * Compares in turns the longest part without digits and the longest part of digits. An absent part
 * counts as empty or as 0.
 */
function compareDebParts(a: string, b: string): number {
  let [restA, restB] = [a, b]
  while (restA !== '' || restB !== '') {
    const [wordA, wordB] = [leading(/^\D*/, restA), leading(/^\D*/, restB)]
    const byWords = compareDebWords(wordA, wordB)
    if (byWords !== 0) return byWords
    restA = restA.slice(wordA.length)
    restB = restB.slice(wordB.length)
    const [digitsA, digitsB] = [leading(/^\d*/, restA), leading(/^\d*/, restB)]
    const byNumbers = compareNumbers(digitsA, digitsB)
    if (byNumbers !== 0) return byNumbers
    restA = restA.slice(digitsA.length)
    restB = restB.slice(digitsB.length)
  }
  return 0
}

function compareDebWords(a: string, b: string): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = debRankOf(a, index) - debRankOf(b, index)
    if (difference !== 0) return difference
  }
  return 0
}

/** `~` sorts before the end of a part, letters sort before everything else. */
function debRankOf(word: string, index: number): number {
  const letter = word[index]
  if (letter === undefined) return 0
  if (letter === '~') return -1
  return /[A-Za-z]/.test(letter) ? letter.charCodeAt(0) : letter.charCodeAt(0) + 256
}

/** `[epoch:]version[-release]`, as rpm's own rpmverCmp compares them. */
function compareRpm(a: string, b: string): number {
  const [first, second] = [rpmPartsOf(a), rpmPartsOf(b)]
  const byEpochAndVersion = compareNumbers(first.epoch, second.epoch) || compareRpmParts(first.version, second.version)
  if (byEpochAndVersion !== 0) return byEpochAndVersion
  if (first.release === undefined || second.release === undefined) {
    return Number(first.release !== undefined) - Number(second.release !== undefined)
  }
  return compareRpmParts(first.release, second.release)
}

function rpmPartsOf(version: string): { epoch: string; version: string; release: string | undefined } {
  const { epoch, rest } = epochOf(version)
  const dash = rest.lastIndexOf('-')
  return dash < 0
    ? { epoch, version: rest, release: undefined }
    : { epoch, version: rest.slice(0, dash), release: rest.slice(dash + 1) }
}

/**
 * As rpmvercmp: compares segments of only digits or only letters. Nothing between them counts,
 * except `~` and `^`.
 */
function compareRpmParts(a: string, b: string): number {
  const [segmentsA, segmentsB] = [rpmSegmentsOf(a), rpmSegmentsOf(b)]
  for (let index = 0; ; index += 1) {
    const [segmentA, segmentB] = [segmentsA[index], segmentsB[index]]
    if (segmentA === undefined && segmentB === undefined) return 0
    const difference = rpmRankOf(segmentA) - rpmRankOf(segmentB) || compareRpmSegments(segmentA ?? '', segmentB ?? '')
    if (difference !== 0) return difference
  }
}

function rpmSegmentsOf(part: string): string[] {
  return part.match(/~|\^|\d+|[A-Za-z]+/g) ?? []
}

/**
 * `~` sorts before the end of a version, `^` right after the end and before any further segment.
 * Numbers are newer than words.
 */
function rpmRankOf(segment: string | undefined): number {
  if (segment === undefined) return 1
  if (segment === '~') return 0
  if (segment === '^') return 2
  return /^\d/.test(segment) ? 4 : 3
}

function compareRpmSegments(a: string, b: string): number {
  return /^\d/.test(a) ? compareNumbers(a, b) : compareTexts(a, b)
}

function epochOf(version: string): { epoch: string; rest: string } {
  const epoch = /^(\d+):/.exec(version)?.[1]
  return epoch === undefined ? { epoch: '0', rest: version } : { epoch, rest: version.slice(epoch.length + 1) }
}

/** Compares numbers of any length by their digits. */
function compareNumbers(a: string, b: string): number {
  const [digitsA, digitsB] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return digitsA.length - digitsB.length || compareTexts(digitsA, digitsB)
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function leading(pattern: RegExp, text: string): string {
  return pattern.exec(text)?.[0] ?? ''
}
