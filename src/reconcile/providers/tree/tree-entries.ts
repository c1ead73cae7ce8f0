// What is recorded of an installed tree: its entries, and the state of its version. Pure.

import * as v from 'valibot'
import { hooksSchema, hookTimeoutsSchema } from '../../../model/manifest.ts'
import { packageVersionSchema, publishedNameSchema, sha256Schema } from '../../../model/names.ts'
import { parserOf } from '../../../model/parse.ts'

const treePathSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(4096))
const modeSchema = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o7777))
const idSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
/** The owner right after the installation. Records of earlier versions of banyan have none. */
const owner = { uid: v.exactOptional(idSchema), gid: v.exactOptional(idSchema) }

export const treeEntrySchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('folder'), path: treePathSchema, mode: modeSchema, ...owner }),
  v.strictObject({
    kind: v.literal('file'),
    path: treePathSchema,
    mode: modeSchema,
    size: v.number(),
    sha256: sha256Schema,
    mtimeMs: v.number(),
    ...owner,
    /** The package holds the file empty, and a hook has filled it. */
    wasEmpty: v.exactOptional(v.literal(true)),
  }),
  v.strictObject({ kind: v.literal('link'), path: treePathSchema, target: v.string() }),
])
/** One file, folder or link below a version's folder. The path is relative to that folder. */
export type TreeEntry = v.InferOutput<typeof treeEntrySchema>
export const parseTreeEntry = parserOf(treeEntrySchema)

export const treeHeaderSchema = v.strictObject({
  schema: v.literal(1),
  name: publishedNameSchema,
  version: packageVersionSchema,
  manifest: sha256Schema,
  payload: sha256Schema,
  hooks: hooksSchema,
  hookTimeouts: v.exactOptional(hookTimeoutsSchema),
  /** removing: its hooks have run, and some of its files may be gone. */
  state: v.picklist(['unpacked', 'installed', 'removing']),
  /** The version before it, which is kept. */
  previous: v.nullable(packageVersionSchema),
})
/** The first line of the record of one version. The list of its entries follows. */
export type TreeHeader = v.InferOutput<typeof treeHeaderSchema>
export const parseTreeHeader = parserOf(treeHeaderSchema)
