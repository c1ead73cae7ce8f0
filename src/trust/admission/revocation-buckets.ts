// What two nodes know of revocations is compared in parts, so that one more of a thousand costs a few
// kilobytes. A statement is in the bucket that its key's first two digits name.

import { hash } from 'node:crypto'
import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { parserOf } from '../../model/parse.ts'
import type { Revocation } from './revocation-statements.ts'

const bucketsCount = 256
/** Hex digits of a bucket's digest: 32 bits tell 256 buckets apart well enough. */
const digestChars = 8

/** By bucket, each in the order of the statements. */
export function bucketsOf(statements: Iterable<Revocation>): ReadonlyMap<string, readonly Revocation[]> {
  const buckets = new Map<string, Revocation[]>()
  for (const each of statements) {
    const name = each.keyId.slice(0, 2)
    const bucket = buckets.get(name)
    if (bucket === undefined) buckets.set(name, [each])
    else bucket.push(each)
  }
  return buckets
}

/** Two kilobytes, the same on two nodes that know the same. */
export function bucketDigests(buckets: ReadonlyMap<string, readonly Revocation[]>): string {
  return bucketNames.map((name) => digestOf(buckets.get(name) ?? [], digestChars)).join('')
}

/** Empty for no statements. */
export function digestOf(statements: readonly Revocation[], chars: number): string {
  if (statements.length === 0) return '0'.repeat(chars)
  const all = statements.map(({ keyId, at, replaced }) => `${keyId} ${at} ${replaced ?? false}`).sort()
  return hash('sha256', all.join('\n'), 'hex').slice(0, chars)
}

/** The names of the buckets that two nodes have different statements in. */
export function differingBuckets(one: string, other: string): string[] {
  const part = (digests: string, n: number) => digests.slice(n * digestChars, (n + 1) * digestChars)
  return bucketNames.filter((_, n) => part(one, n) !== part(other, n))
}

const bucketNames: readonly string[] = Array.from({ length: bucketsCount }, (_, n) => n.toString(16).padStart(2, '0'))

export const parseBucketDigests = parserOf(
  v.strictObject({ digests: v.pipe(v.string(), v.regex(/^[0-9a-f]+$/), v.length(bucketsCount * digestChars)) }),
)

/** The buckets that a child asks for, as in `00,3a`. Throws `bad-input`. */
export function bucketsAskedFor(text: string | undefined, max: number): string[] {
  const names = (text ?? '').slice(0, 3 * max).split(',')
  if (names.length <= max && names.every((name) => /^[0-9a-f]{2}$/.test(name))) return [...new Set(names)]
  throw new Failure('bad-input', `expected up to ${max} buckets of revocations`)
}
