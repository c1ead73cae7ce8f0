// What a root has lost and its children are asked for: objects by digest, and newer signed metadata.

import * as v from 'valibot'
import { limits } from '../limits.ts'
import { type Sha256, sha256Schema } from '../names.ts'
import { parserOf } from '../parse.ts'

/** What a root asks one child for. */
export interface Lost {
  objects: Sha256[]
  /** The metadata that the child trusts. */
  metadata: boolean
}

export const parseLost = parserOf(
  v.object({
    objects: v.pipe(v.array(sha256Schema), v.maxLength(limits.lostAskedMax)),
    metadata: v.boolean(),
  }),
)

/** Metadata files by name, each the text that was signed. */
export type MetadataFiles = Readonly<Record<string, string>>

const metadataFilesSchema = v.pipe(
  v.record(v.string(), v.string()),
  v.check((files) => Object.keys(files).length <= limits.metadataSetFilesMax, 'too many files'),
)
export const parseMetadataFiles = parserOf(metadataFilesSchema)
