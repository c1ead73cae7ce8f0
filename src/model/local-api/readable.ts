// How a command reads the answer of a daemon that may be of another version: a field that is
// absent, or is not what this version knows it as, is left out; fields that this version does not
// know are ignored.

import * as v from 'valibot'
import { Failure } from '../failure.ts'
import { limits } from '../limits.ts'
import { lineOf } from '../line.ts'
import { whyNot } from '../parse.ts'

/**
 * A `T` as a reader of any version may rely on it: every field may be absent, and a word may be one
 * that is not known here.
 */
export type Readable<T> = T extends string
  ? string
  : T extends number | boolean | null | undefined
    ? T
    : T extends readonly (infer Item)[]
      ? Readable<Item>[]
      : { readonly [Key in keyof T]?: Readable<T[Key]> | undefined }

/**
 * Throws a `bad-input` Failure if the answer as a whole is something else than `schema` says. Each
 * text is one line, whatever other machines wrote into it, except for what programs printed.
 */
export function readAnswer<T>(schema: v.GenericSchema<unknown, T>, answer: unknown): Readable<T> {
  const read = v.safeParse(tolerant(schema), answer)
  if (!read.success) throw new Failure('bad-input', `the answer of the daemon: ${whyNot(read.issues)}`)
  return read.output as Readable<T>
}

interface SchemaParts {
  type: string
  entries?: Readonly<Record<string, unknown>>
  item?: unknown
  value?: unknown
  wrapped?: unknown
  options?: readonly unknown[]
  pipe?: readonly { kind: string }[]
}

/** The fields with what programs printed, in lines. */
const printed = new Set(['output'])

const line = v.pipe(
  v.string(),
  v.transform((text) => lineOf(text, limits.shownLineMaxChars)),
)

/** The same shape without limits and patterns, and without the closed lists of words. */
function tolerant(schema: unknown): v.GenericSchema {
  const parts = schema as SchemaParts
  const { entries, item, value, wrapped, options = [] } = parts
  switch (parts.type) {
    case 'object':
    case 'strict_object': {
      const read = (key: string, entry: unknown) => (printed.has(key) ? v.string() : tolerant(entry))
      const fields = Object.entries(entries ?? {}).map(([key, entry]) => [key, orAbsent(read(key, entry))] as const)
      return v.object(Object.fromEntries(fields))
    }
    case 'array':
      return v.array(tolerant(item))
    case 'record':
      return v.record(line, orAbsent(tolerant(value)))
    case 'nullable':
      return v.nullable(tolerant(wrapped))
    case 'optional':
    case 'exact_optional':
      return tolerant(wrapped)
    case 'picklist':
    case 'string':
      return line
    case 'number':
      return v.number()
    case 'boolean':
      return v.boolean()
    case 'union':
      return v.union(options.map(tolerant))
    case 'literal':
      return v.union([line, v.number(), v.boolean()])
    case 'custom':
      // A check that stands before the schema it guards.
      return tolerant(parts.pipe?.findLast(({ kind }) => kind === 'schema'))
    default:
      throw new TypeError(`no reading of a ${parts.type} schema is known`)
  }
}

function orAbsent(schema: v.GenericSchema): v.GenericSchema {
  return v.fallback(v.optional(schema), undefined)
}
