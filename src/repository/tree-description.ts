// `banyan.yaml`: describes the package that its folder is published as.

import { join } from 'node:path'
import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { hooksSchema } from '../model/manifest.ts'
import { archSchema, lineSchema, packageVersionSchema, publishedNameSchema } from '../model/names.ts'
import { targetSchema } from '../model/packages/target-schema.ts'
import { globSchema } from '../model/units/globs.ts'
import { readYaml } from '../model/yaml/yaml.ts'
import { checkedYaml } from '../model/yaml/yaml-check.ts'
import { readIfThere } from '../world/read-if-there.ts'
import type { Disk } from '../world/world.ts'

export const descriptionFileName = 'banyan.yaml'

const patternSchema = v.pipe(
  globSchema,
  v.check(
    (pattern) => pattern !== '' && !pattern.startsWith('/') && !pattern.split('/').includes('..'),
    'expected a pattern of paths inside the folder, e.g. "**/*.map"',
  ),
)

export const treeDescriptionSchema = v.strictObject({
  name: v.exactOptional(publishedNameSchema),
  version: v.exactOptional(packageVersionSchema),
  arch: v.optional(archSchema, 'all'),
  /** The machines that the package is for, by their facts. */
  for: v.exactOptional(targetSchema),
  summary: v.optional(lineSchema, ''),
  hooks: v.optional(hooksSchema, {}),
  /**
   * Glob patterns of files and folders to leave out; a folder is left out with its whole content.
   */
  exclude: v.optional(
    v.pipe(
      v.array(patternSchema, 'expected a list of patterns'),
      v.maxLength(limits.excludeMax, `over ${limits.excludeMax} patterns`),
    ),
    [],
  ),
})

type Described = v.InferOutput<typeof treeDescriptionSchema>
export type TreeDescription = Described & Required<Pick<Described, 'name' | 'version'>>

/**
 * Name and version given to `publish` win over those in the file. Without a file both must be
 * given.
 */
export async function describeTree(
  disk: Pick<Disk, 'read'>,
  folder: string,
  given: { name?: string; version?: string },
): Promise<TreeDescription> {
  const file = join(folder, descriptionFileName)
  const description = await readDescription(disk, file)
  const name = given.name ?? description?.name
  const version = given.version ?? description?.version
  if (description === undefined && (name === undefined || version === undefined)) {
    throw new Failure('bad-input', `${folder}: there is no ${descriptionFileName} in this folder`, {
      hint: `write one with name and version, or publish with --name and --version`,
    })
  }
  if (name === undefined) throw new Failure('bad-input', `${file}: name is missing`, { hint: 'or publish with --name' })
  if (version === undefined) {
    throw new Failure('bad-input', `${file}: version is missing`, { hint: 'or publish with --version' })
  }
  return { ...v.parse(treeDescriptionSchema, description ?? {}), name, version }
}

async function readDescription(
  disk: Pick<Disk, 'read'>,
  file: string,
): Promise<v.InferOutput<typeof treeDescriptionSchema> | undefined> {
  const bytes = await readIfThere(disk, file, { maxBytes: limits.descriptionMaxBytes })
  if (bytes === undefined) return undefined
  const yaml = await readYaml(bytes, { file, maxBytes: limits.descriptionMaxBytes, scalars: 'text' })
  return checkedYaml(yaml, treeDescriptionSchema)
}
