// The smallest parts of every format: names, digests, versions, instants, each with its schema.

import * as v from 'valibot'
import { limits } from './limits.ts'

/**
 * A plain value with a name in its type, so that the compiler refuses an `InfoHash` where a
 * `Sha256` is expected. The property exists in the type only. A literal fits every such name, so
 * that tests read like prose.
 */
type Named<Plain, Name extends string> = Plain & { readonly named?: Name }

/** Milliseconds since 1970, UTC. */
export type Instant = Named<number, 'Instant'>

/** 64 lower-case hex digits. */
const sha256Pattern = /^[0-9a-f]{64}$/
export const sha256Schema = v.pipe(
  v.string(),
  v.regex(sha256Pattern, 'expected 64 lower-case hex digits'),
) as v.GenericSchema<string, Sha256>
export type Sha256 = Named<string, 'Sha256'>

/** 40 lower-case hex digits: the SHA-1 of a metainfo's info dictionary (BEP 3). */
export const infoHashSchema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{40}$/, 'expected 40 lower-case hex digits'),
) as v.GenericSchema<string, InfoHash>
export type InfoHash = Named<string, 'InfoHash'>

export const nodeNameSchema = v.pipe(
  v.string(),
  v.regex(
    /^(?!(?:constructor|prototype)$)[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
    'expected a node name: lower-case letters, digits, dots and dashes, at most 63',
  ),
) as v.GenericSchema<string, NodeName>
export type NodeName = Named<string, 'NodeName'>

const nameRule = 'expected a package name: it starts with a letter or digit, then letters, digits, + . _ -'

/**
 * The name of a published package: Debian Policy 5.6.7, with `_` and capital letters added for the
 * names of rpm packages. Every JavaScript object has keys of the two names that are left out.
 */
export const publishedNameSchema = v.pipe(
  v.string(),
  v.regex(/^(?!(?:constructor|prototype)$)[A-Za-z0-9][A-Za-z0-9+._-]{0,127}$/, nameRule),
) as v.GenericSchema<string, PackageName>

/**
 * A package on a machine. `libfo` is the package of the machine's own architecture, or of all;
 * `libfo:i386` is the one beside it for another architecture.
 */
export const packageNameSchema = v.pipe(
  v.string(),
  v.regex(
    /^(?!(?:constructor|prototype)$)[A-Za-z0-9][A-Za-z0-9+._-]{0,127}(?::(?:amd64|arm64|armhf|i386|riscv64|ppc64el|s390x))?$/,
    nameRule,
  ),
) as v.GenericSchema<string, PackageName>
export type PackageName = Named<string, 'PackageName'>

/** The name as it was published. */
export function publishedNameOf(name: PackageName): PackageName {
  return name.split(':')[0] as string
}

/** The architecture that a name gives: `i386` of `libfo:i386`. Undefined for the machine's own. */
export function archInName(name: PackageName): Arch | undefined {
  return name.split(':')[1] as Arch | undefined
}

/** Debian Policy 5.6.12: [epoch:]upstream[-revision]. It starts with a digit or a letter. */
export const packageVersionSchema = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9.+:~^_-]{0,127}$/,
    'expected a version: it starts with a letter or digit, then letters, digits, . + : ~ ^ _ -',
  ),
)
export type PackageVersion = v.InferOutput<typeof packageVersionSchema>

/** Debian's names of architectures. `all` fits every machine. */
export const archSchema = v.picklist(['all', 'amd64', 'arm64', 'armhf', 'i386', 'riscv64', 'ppc64el', 's390x'])
export type Arch = v.InferOutput<typeof archSchema>

/** Names of groups, rollouts, windows, sites, label keys. */
export const wordSchema = v.pipe(
  v.string(),
  v.regex(
    /^(?!(?:constructor|prototype)$)[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/,
    'expected a word: letters, digits, . _ / -, at most 63',
  ),
)

/** One line of text without control characters. */
export const lineSchema = v.pipe(
  v.string(),
  v.maxLength(limits.textMaxChars),
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point.
  v.regex(/^[^\u0000-\u001f\u007f]*$/, 'expected one line without control characters'),
)

export const instantSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0)) as v.GenericSchema<number, Instant>
export const countSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const portMessage = 'expected a port: a whole number from 0 to 65535'
export const portSchema = v.pipe(
  v.number(portMessage),
  v.integer(portMessage),
  v.minValue(0, portMessage),
  v.maxValue(65535, portMessage),
)

/**
 * Comes before a record in a pipe: counts the entries before they are checked, because checking
 * takes much longer.
 */
export const atMost = (max: number, what: string) =>
  v.custom<Record<string, unknown>>(
    (input) => typeof input !== 'object' || input === null || Object.keys(input).length <= max,
    `expected at most ${max} ${what}`,
  )

export const labelsSchema = v.pipe(
  v.record(wordSchema, lineSchema),
  v.check((labels) => Object.keys(labels).length <= limits.labelsMax, `expected at most ${limits.labelsMax} labels`),
)
export type Labels = v.InferOutput<typeof labelsSchema>

/** For digests that become a path: tells without a Failure whether the text is a digest. */
export function isSha256(text: string): boolean {
  return sha256Pattern.test(text)
}
