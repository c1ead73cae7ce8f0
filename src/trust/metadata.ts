// TUF metadata as files: their names, and the fields that banyan reads itself.

import * as v from 'valibot'
import { type Instant, instantSchema, type Sha256 } from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'

export type Role = 'root' | 'timestamp' | 'snapshot' | 'targets' | 'rollouts'

export interface TargetDigest {
  sha256: Sha256
  size: number
}

/** The TUF targets. Packages are not targets: the revision names them by digest. */
export const revisionTarget = 'revision.json'
export const rolloutsTarget = 'rollouts.json'

/**
 * A field that banyan adds to the timestamp (TUF permits it): when it was signed, for the clock
 * floor of the nodes.
 */
export const signedAtField = 'x-banyan-signed-at'

const fileName = /^(?:timestamp|[1-9][0-9]{0,15}\.(?:root|snapshot|targets|rollouts))\.json$/

/**
 * Whether the text can be the name of a metadata file. No other name is ever requested, served or
 * made into a path.
 */
export function isMetadataFile(name: string): boolean {
  return fileName.test(name)
}

export function fileNameOf(role: Role, version: number): string {
  return role === 'timestamp' ? 'timestamp.json' : `${version}.${role}.json`
}

const versionSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1))

const documentSchema = v.object({
  signed: v.object({
    version: versionSchema,
    expires: v.pipe(
      v.string(),
      v.check((text) => Number.isFinite(Date.parse(text)), 'expected a time'),
    ),
    [signedAtField]: v.exactOptional(instantSchema),
  }),
})
const parseDocument = parserOf(documentSchema)

/** Reads these fields without checking signatures. Throws `bad-input`. */
export function fieldsOf(
  bytes: Uint8Array,
  where: string,
): { version: number; expires: Instant; signedAt: Instant | undefined } {
  const { signed } = parseDocument(parseJson(bytes, where), where)
  return { version: signed.version, expires: Date.parse(signed.expires), signedAt: signed[signedAtField] }
}
