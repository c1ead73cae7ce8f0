// `banyan.yaml`: describes the package that its folder is published as.

import { join } from 'node:path'
import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { ignoredInTreeSchema } from '../model/ignored-paths.ts'
import { limits } from '../model/limits.ts'
import { type Hooks, type HookTimeouts, hookTimeoutSchema } from '../model/manifest.ts'
import {
  archSchema,
  lineSchema,
  type PackageName,
  type PackageVersion,
  packageVersionSchema,
  publishedNameSchema,
} from '../model/names.ts'
import { targetSchema } from '../model/packages/target-schema.ts'
import { msOfDuration } from '../model/units/durations.ts'
import { globSchema } from '../model/units/globs.ts'
import { readYaml } from '../model/yaml/yaml.ts'
import { checkedYaml } from '../model/yaml/yaml-check.ts'
import { readIfThere } from '../world/read-if-there.ts'
import type { Disk } from '../world/world.ts'
import { describedFileSchema } from './tree-attributes.ts'

export const descriptionFileName = 'banyan.yaml'

const patternSchema = v.pipe(
  globSchema,
  v.check(
    (pattern) => pattern !== '' && !pattern.startsWith('/') && !pattern.split('/').includes('..'),
    'expected a pattern of paths inside the folder, e.g. "**/*.map"',
  ),
)

/** A path below the folder; or the path and how long the hook may take. */
const describedHookSchema = v.union(
  [lineSchema, v.strictObject({ run: lineSchema, timeout: v.exactOptional(hookTimeoutSchema) })],
  'expected a path inside the folder, or { run: hooks/start, timeout: 10m }',
)

const describedHooksSchema = v.strictObject({
  preInstall: v.exactOptional(describedHookSchema),
  postInstall: v.exactOptional(describedHookSchema),
  preRemove: v.exactOptional(describedHookSchema),
  postRemove: v.exactOptional(describedHookSchema),
})

const treeDescriptionSchema = v.strictObject({
  name: v.exactOptional(publishedNameSchema),
  version: v.exactOptional(packageVersionSchema),
  arch: v.optional(archSchema, 'all'),
  /** The machines that the package is for, by their facts. */
  for: v.exactOptional(targetSchema),
  summary: v.optional(lineSchema, ''),
  hooks: v.optional(describedHooksSchema, {}),
  /** Patterns of files that the package's programs write: they are no drift, and are not healed. */
  ignore: v.optional(ignoredInTreeSchema, []),
  /** Modes, and owners by their names on the nodes. */
  files: v.optional(v.pipe(v.array(describedFileSchema, 'expected a list'), v.maxLength(limits.excludeMax)), []),
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

/** What the manifest takes over, and what is left out of the payload. */
export interface TreeDescription extends Omit<Described, 'hooks' | 'name' | 'version'> {
  name: PackageName
  version: PackageVersion
  hooks: Hooks
  hookTimeouts: HookTimeouts
}

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
  const described = v.parse(treeDescriptionSchema, description ?? {})
  if (name === undefined) throw new Failure('bad-input', `${file}: name is missing`, { hint: 'or publish with --name' })
  if (version === undefined) {
    throw new Failure('bad-input', `${file}: version is missing`, { hint: 'or publish with --version' })
  }
  return { ...described, ...hooksOf(described.hooks), name, version }
}

function hooksOf(written: Described['hooks']): Pick<TreeDescription, 'hooks' | 'hookTimeouts'> {
  const hooks: Hooks = {}
  const hookTimeouts: HookTimeouts = {}
  for (const key of ['preInstall', 'postInstall', 'preRemove', 'postRemove'] as const) {
    const hook = written[key]
    if (hook === undefined) continue
    hooks[key] = typeof hook === 'string' ? hook : hook.run
    if (typeof hook !== 'string' && hook.timeout !== undefined) hookTimeouts[key] = msOfDuration(hook.timeout)
  }
  return { hooks, hookTimeouts }
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
