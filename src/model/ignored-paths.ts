// Which paths are left as they are, whoever changed them: as rules and packages write it.

import * as v from 'valibot'
import { limits } from './limits.ts'
import { globOf, globSchema } from './units/globs.ts'

/** Patterns of absolute paths on the machine. */
export const ignoredPathsSchema = ignoredSchema(
  (glob) => glob.startsWith('/') && /[^/*]/.test(glob),
  'expected a pattern of absolute paths, e.g. /var/lib/shop/**',
)

/** Patterns of paths below the folder of a tree. */
export const ignoredInTreeSchema = ignoredSchema(
  (glob) => !glob.startsWith('/') && /[^/*.]/.test(glob),
  'expected a pattern of paths inside the folder, e.g. data/**',
)

/** Whether a path matches one of the patterns. */
export function matcherOf(globs: readonly string[]): (path: string) => boolean {
  const compiled = globs.map(globOf)
  return (path) => compiled.some((fits) => fits(path))
}

function ignoredSchema(isRight: (glob: string) => boolean, expected: string) {
  const patternSchema = v.pipe(
    globSchema,
    v.check((glob) => isRight(glob) && !glob.split('/').includes('..'), expected),
  )
  return v.pipe(
    v.array(patternSchema, 'expected a list of patterns'),
    v.maxLength(limits.ignoredPathsMax, `over ${limits.ignoredPathsMax} patterns`),
  )
}
