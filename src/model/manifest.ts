// A package manifest: the description of one published version. The revision names it by its
// SHA-256.

import * as v from 'valibot'
import { ignoredInTreeSchema } from './ignored-paths.ts'
import { limits } from './limits.ts'
import {
  archSchema,
  countSchema,
  infoHashSchema,
  lineSchema,
  type PackageName,
  type PackageVersion,
  packageVersionSchema,
  publishedNameSchema,
  type Sha256,
  sha256Schema,
} from './names.ts'
import { targetSchema } from './packages/target-schema.ts'
import { parseJson, parserOf } from './parse.ts'
import { durationFrom } from './units/durations.ts'

export const kindSchema = v.picklist(['deb', 'rpm', 'tree'])
export type Kind = v.InferOutput<typeof kindSchema>

const payloadSizeSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(limits.payloadMaxBytes))

/** How the payload travels: a small payload as an object, a larger one in a swarm. */
export const payloadSchema = v.variant('via', [
  v.strictObject({ via: v.literal('object'), sha256: sha256Schema, size: payloadSizeSchema }),
  v.strictObject({
    via: v.literal('swarm'),
    sha256: sha256Schema,
    size: payloadSizeSchema,
    infoHash: infoHashSchema,
    pieceLength: countSchema,
    /** The metainfo file (BEP 3), as an object. */
    metainfo: sha256Schema,
  }),
])
export type Payload = v.InferOutput<typeof payloadSchema>
export type SwarmPayload = Extract<Payload, { via: 'swarm' }>

/** A payload that travels in a swarm, with everything that the swarm has to know about it. */
export interface HoldingSpec {
  manifest: Sha256
  name: PackageName
  version: PackageVersion
  payload: SwarmPayload
  /** Bytes of the metainfo file. The caller has verified their SHA-256. */
  metainfo: Uint8Array
}

/** Paths below the installed version's folder, which is the working directory of a hook. */
export const hooksSchema = v.strictObject({
  preInstall: v.exactOptional(lineSchema),
  postInstall: v.exactOptional(lineSchema),
  preRemove: v.exactOptional(lineSchema),
  postRemove: v.exactOptional(lineSchema),
})
export type Hooks = v.InferOutput<typeof hooksSchema>

const hookTimeMessage = `expected 1s to ${limits.hookTimeoutMaxMs / 60_000}m, with its unit`

/** As people write it: `90s`, `10m`. `msOfDuration` converts it. */
export const hookTimeoutSchema = v.pipe(
  v.string(hookTimeMessage),
  v.check((written) => {
    const ms = durationFrom(written) ?? 0
    return ms >= 1000 && ms <= limits.hookTimeoutMaxMs
  }, hookTimeMessage),
)
export const hookTimeoutMsSchema = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(1000, hookTimeMessage),
  v.maxValue(limits.hookTimeoutMaxMs, hookTimeMessage),
)

/** How long hooks may take, in milliseconds, where the package says so. */
export const hookTimeoutsSchema = v.strictObject({
  preInstall: v.exactOptional(hookTimeoutMsSchema),
  postInstall: v.exactOptional(hookTimeoutMsSchema),
  preRemove: v.exactOptional(hookTimeoutMsSchema),
  postRemove: v.exactOptional(hookTimeoutMsSchema),
})
export type HookTimeouts = v.InferOutput<typeof hookTimeoutsSchema>

const manifestSchema = v.strictObject({
  schema: v.literal(1),
  name: publishedNameSchema,
  version: packageVersionSchema,
  kind: kindSchema,
  arch: archSchema,
  /** The machines that this build is for. Absent: all of its architecture. */
  target: v.exactOptional(targetSchema),
  payload: payloadSchema,
  /** Bytes that the installed package takes on disk. */
  installedSize: countSchema,
  /**
   * What the package needs, in its own notation: one Debian `Depends` clause each, such as `libjq1
   * (= 1.6-2.1)`.
   */
  depends: v.array(v.pipe(v.string(), v.maxLength(4096))),
  /** Of a Debian package, its field Multi-Arch, unless that is `no`. */
  multiArch: v.exactOptional(v.picklist(['same', 'foreign', 'allowed'])),
  /**
   * The names beside its own that satisfy a dependency: `mta`, or for Debian packages also `libfoo
   * (= 1)`.
   */
  provides: v.exactOptional(v.array(v.pipe(v.string(), v.maxLength(4096)))),
  /**
   * What cannot be on the machine beside the package, in its own notation: Conflicts and Breaks of
   * Debian packages, Conflicts of rpm packages.
   */
  conflicts: v.exactOptional(v.array(v.pipe(v.string(), v.maxLength(4096)))),
  /** What the package takes the place of: Replaces of Debian packages, Obsoletes of rpm packages. */
  replaces: v.exactOptional(v.array(v.pipe(v.string(), v.maxLength(4096)))),
  summary: v.pipe(v.string(), v.maxLength(limits.textMaxChars)),
  hooks: hooksSchema,
  hookTimeouts: v.exactOptional(hookTimeoutsSchema),
  /** Patterns of paths below a tree's folder that are left as they are, whoever changed them. */
  ignore: v.exactOptional(ignoredInTreeSchema),
})
export type Manifest = v.InferOutput<typeof manifestSchema>

/** What a package says of itself and of other packages. */
export type Relations = Pick<Manifest, 'kind' | 'name' | 'version' | 'depends' | 'provides' | 'conflicts' | 'replaces'>

export const parseManifest = parserOf(manifestSchema)

/**
 * The manifest in an object's bytes. The caller has checked `digest`; a `bad-input` failure names
 * the object by it.
 */
export function manifestFrom(bytes: Uint8Array, digest: Sha256): Manifest {
  const where = `manifest ${digest}`
  return parseManifest(parseJson(bytes, where, limits.manifestMarksMax), where)
}
