// TUF metadata as files: what they are called, and the fields that we look at ourselves.

import * as v from 'valibot'
import { type Instant, instantSchema, type Sha256 } from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'

export type Role = 'root' | 'timestamp' | 'snapshot' | 'targets' | 'rollouts'

export interface TargetDigest {
  sha256: Sha256
  size: number
}

/** The targets. Packages are none: they hang below the revision by digest. */
export const revisionTarget = 'revision.json'
export const rolloutsTarget = 'rollouts.json'

/** A signed field of ours in the timestamp, which TUF lets be: when it was signed, for the clock floor of the nodes. */
export const signedAtField = 'x-banyan-signed-at'

const fileName = /^(?:timestamp|[1-9][0-9]{0,15}\.(?:root|snapshot|targets|rollouts))\.json$/

/** Whether it can be the name of a metadata file; nothing else is ever asked for, served or made into a path. */
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

/** Signatures are not checked here. */
export function fieldsOf(
  bytes: Uint8Array,
  where: string,
): { version: number; expires: Instant; signedAt: Instant | undefined } {
  const { signed } = parseDocument(parseJson(bytes, where), where)
  return { version: signed.version, expires: Date.parse(signed.expires), signedAt: signed[signedAtField] }
}
