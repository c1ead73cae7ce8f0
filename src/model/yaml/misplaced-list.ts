// Finds a list where a schema expects keys and values. Valibot accepts a list as an object with the
// keys 0, 1, 2, so `[]` would pass for any object whose keys are all optional.

import * as v from 'valibot'

/** Returns the path of a list that stands in the place of an object; undefined if there is none. */
type ListFinder = (value: unknown) => (string | number)[] | undefined

/**
 * Makes the finder for a schema, which reads the schema once. Undefined if no part of the schema is
 * an object.
 */
export function misplacedListFinder(schema: unknown): ListFinder | undefined {
  const parts = innermost(schema)
  if (parts.options !== undefined) return finderInOptions(parts)
  if (parts.entries !== undefined) return finderInEntries(parts.entries)
  if (parts.value !== undefined) return finderInValues(misplacedListFinder(parts.value))
  return parts.item === undefined ? undefined : finderInItems(misplacedListFinder(parts.item))
}

interface SchemaParts {
  entries?: Record<string | number, unknown>
  item?: unknown
  value?: unknown
  options?: readonly unknown[]
  /** The key by which a variant selects its option. */
  key?: string
}

/**
 * `optional` and the like wrap a schema. A pipe has the parts of its first schema, or of the one
 * behind a leading check.
 */
function innermost(schema: unknown): SchemaParts {
  if (typeof schema !== 'object' || schema === null) return {}
  if ('wrapped' in schema) return innermost(schema.wrapped)
  if ('type' in schema && schema.type === 'custom' && 'pipe' in schema) return innermost((schema.pipe as unknown[])[1])
  return schema as SchemaParts
}

function finderInEntries(entries: Record<string | number, unknown>): ListFinder {
  const finders = Object.entries(entries).flatMap(([key, schema]): [string, ListFinder][] => {
    const find = misplacedListFinder(schema)
    return find === undefined ? [] : [[key, find]]
  })
  return (value) => {
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value)) return []
    for (const [key, find] of finders) {
      const found = find((value as Record<string, unknown>)[key])
      if (found !== undefined) return [key, ...found]
    }
    return undefined
  }
}

function finderInValues(find: ListFinder | undefined): ListFinder {
  return (value) => {
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value)) return []
    if (find === undefined) return undefined
    for (const [key, inner] of Object.entries(value)) {
      const found = find(inner)
      if (found !== undefined) return [key, ...found]
    }
    return undefined
  }
}

function finderInItems(find: ListFinder | undefined): ListFinder | undefined {
  if (find === undefined) return undefined
  return (value) => {
    if (!Array.isArray(value)) return undefined
    for (const [index, inner] of value.entries()) {
      const found = find(inner)
      if (found !== undefined) return [index, ...found]
    }
    return undefined
  }
}

/** In a union, a list is misplaced if no option accepts a list there. */
function finderInOptions({ options = [], key }: SchemaParts): ListFinder | undefined {
  const all = options.map((option) => ({ option, find: misplacedListFinder(option), tag: tagOf(option, key) }))
  if (all.every(({ find }) => find === undefined)) return undefined
  return (value) => {
    let first: (string | number)[] | undefined
    for (const { option, find, tag } of all) {
      if (tag !== undefined && (value as Record<string, unknown> | null)?.[key ?? ''] !== tag) continue
      const found = find?.(value)
      if (found === undefined && (find !== undefined || takes(option, value))) return undefined
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
