// Lists where a schema wants keys and values. Valibot takes a list for an object with the keys 0, 1, 2, so that `[]`
// passes for any object whose keys may all be absent.

import * as v from 'valibot'

/** The path of a list that stands where an object should. */
type Look = (value: unknown) => (string | number)[] | undefined

/** Reads the schema once; undefined if nothing in it is an object. */
export function misplacedListLook(schema: unknown): Look | undefined {
  const parts = innermost(schema)
  if (parts.options !== undefined) return lookAtOptions(parts)
  if (parts.entries !== undefined) return lookAtEntries(parts.entries)
  if (parts.value !== undefined) return lookAtValues(misplacedListLook(parts.value))
  return parts.item === undefined ? undefined : lookAtItems(misplacedListLook(parts.item))
}

interface SchemaParts {
  entries?: Record<string | number, unknown>
  item?: unknown
  value?: unknown
  options?: readonly unknown[]
  /** Of a variant: the key that tells which option it is. */
  key?: string
}

/** `optional` and the like wrap a schema; a pipe has the parts of its first one, or of the one that a check stands before. */
function innermost(schema: unknown): SchemaParts {
  if (typeof schema !== 'object' || schema === null) return {}
  if ('wrapped' in schema) return innermost(schema.wrapped)
  if ('type' in schema && schema.type === 'custom' && 'pipe' in schema) return innermost((schema.pipe as unknown[])[1])
  return schema as SchemaParts
}

function lookAtEntries(entries: Record<string | number, unknown>): Look {
  const looks = Object.entries(entries).flatMap(([key, schema]): [string, Look][] => {
    const look = misplacedListLook(schema)
    return look === undefined ? [] : [[key, look]]
  })
  return (value) => {
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value)) return []
    for (const [key, look] of looks) {
      const found = look((value as Record<string, unknown>)[key])
      if (found !== undefined) return [key, ...found]
    }
    return undefined
  }
}

function lookAtValues(look: Look | undefined): Look {
  return (value) => {
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value)) return []
    if (look === undefined) return undefined
    for (const [key, inner] of Object.entries(value)) {
      const found = look(inner)
      if (found !== undefined) return [key, ...found]
    }
    return undefined
  }
}

function lookAtItems(look: Look | undefined): Look | undefined {
  if (look === undefined) return undefined
  return (value) => {
    if (!Array.isArray(value)) return undefined
    for (const [index, inner] of value.entries()) {
      const found = look(inner)
      if (found !== undefined) return [index, ...found]
    }
    return undefined
  }
}

/** Of a union, a list is misplaced if no option takes it there. */
function lookAtOptions({ options = [], key }: SchemaParts): Look | undefined {
  const all = options.map((option) => ({ option, look: misplacedListLook(option), tag: tagOf(option, key) }))
  if (all.every(({ look }) => look === undefined)) return undefined
  return (value) => {
    let first: (string | number)[] | undefined
    for (const { option, look, tag } of all) {
      if (tag !== undefined && (value as Record<string, unknown> | null)?.[key ?? ''] !== tag) continue
      const found = look?.(value)
      if (found === undefined && (look !== undefined || takes(option, value))) return undefined
      first ??= found
    }
    return first
  }
}

function takes(option: unknown, value: unknown): boolean {
  return v.is(option as v.GenericSchema, value)
}

function tagOf(option: unknown, key: string | undefined): unknown {
  if (key === undefined) return undefined
  return (innermost(option).entries?.[key] as { literal?: unknown } | undefined)?.literal
}
