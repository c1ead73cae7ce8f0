// Checks a YAML file with a schema: returns the checked value, or throws one refusal with line,
// place, mistake and hint.

import * as v from 'valibot'
import type { Failure } from '../failure.ts'
import { misplacedListFinder } from './misplaced-list.ts'
import { didYouMean } from './nearest.ts'
import { lowerFirst, refusal, type YamlFile, type YamlPath } from './yaml.ts'

/**
 * The value of the file, checked. Throws a `bad-input` Failure: `FILE:LINE: PATH: what is wrong`,
 * with a hint. `hints` are for keys that the schema does not know but people might write.
 */
export function checkedYaml<S extends v.GenericSchema>(
  yaml: YamlFile,
  schema: S,
  hints: Readonly<Record<string, string>> = {},
): v.InferOutput<S> {
  const value = yaml.value ?? {}
  const list = misplacedListFinder(schema)?.(value)
  if (list !== undefined)
    throw refusal(yaml.file, yaml.lineOf(list), `${placeOf(list)}expected keys and values, got a list`)
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const found = result.issues.slice(0, issuesLookedAt).map((issue) => ({ ...innermostIssue(issue, []), line: 0 }))
  for (const issue of found) issue.line = yaml.lineOf(issue.path)
  // An unknown key comes first: it explains why another key is missing.
  const [first] = found.sort((a, b) => Number(isUnknownKey(b)) - Number(isUnknownKey(a)) || a.line - b.line)
  throw refusalOf(yaml.file, first as FoundIssue, schema, hints)
}

/** How many mistakes of one file are compared to find the one to report. */
const issuesLookedAt = 100

interface FoundIssue {
  issue: v.BaseIssue<unknown>
  path: (string | number)[]
  line: number
}

function isUnknownKey({ issue }: Pick<FoundIssue, 'issue'>): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never'
}

function refusalOf(
  file: string,
  { issue, path, line }: FoundIssue,
  schema: unknown,
  hints: Readonly<Record<string, string>>,
): Failure {
  const above = path.slice(0, -1)
  const key = String(path.at(-1))
  if (isUnknownKey({ issue })) {
    const hint = hints[key] ?? didYouMean(key, keysAt(schema, above))
    return refusal(file, line, `${placeOf(above)}unknown key ${JSON.stringify(key)}`, hint)
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    return refusal(file, line, `${placeOf(above)}${key} is missing`)
  }
  const message = issue.message.replace(/^Invalid type: Expected (.*) but received .*$/s, 'expected $1')
  return refusal(file, line, `${placeOf(path)}${lowerFirst(message)}${gotOf(issue)}`)
}

/** For a value that fits no member of a union: the mistake deepest inside the value. */
function innermostIssue(issue: v.BaseIssue<unknown>, above: (string | number)[]): Omit<FoundIssue, 'line'> {
  const path = [...above, ...(issue.path ?? []).map((item) => item.key as string | number)]
  const inside = issue.type === 'union' ? issue.issues?.find((inner) => inner.path !== undefined) : undefined
  return inside === undefined ? { issue, path } : innermostIssue(inside, path)
}

/** The keys that a schema knows at a path, for a hint. */
function keysAt(schema: unknown, path: YamlPath): string[] {
  let here = innermost(schema)
  for (const key of path) here = innermost(insideOf(here, key))
  return Object.keys(here.entries ?? {})
}

interface SchemaParts {
  entries?: Record<string | number, unknown>
  item?: unknown
  value?: unknown
}

function insideOf({ entries, item, value }: SchemaParts, key: string | number): unknown {
  return entries === undefined ? (item ?? value) : entries[key]
}

/** `optional` and the like wrap a schema. A pipe has the parts of its first schema. */
function innermost(schema: unknown): SchemaParts {
  if (typeof schema !== 'object' || schema === null) return {}
  return 'wrapped' in schema ? innermost(schema.wrapped) : (schema as SchemaParts)
}

function placeOf(path: YamlPath): string {
  return path.length === 0 ? '' : `${path.join('.')}: `
}

function gotOf({ kind, input }: v.BaseIssue<unknown>): string {
  if (input === '' || input === null) return ', got nothing'
  if (kind !== 'schema' && typeof input === 'object') return ''
  if (Array.isArray(input)) return ', got a list'
  if (typeof input === 'object') return ', got keys and values'
  return `, got ${JSON.stringify(String(input).slice(0, 80))}`
}
