// What a schema makes of a YAML file: the checked value, or one refusal that names line, place, mistake and a hint.

import * as v from 'valibot'
import type { Failure } from '../failure.ts'
import { misplacedListLook } from './misplaced-list.ts'
import { didYouMean } from './nearest.ts'
import { refusal, type YamlFile, type YamlPath } from './yaml.ts'

/**
 * What the schema makes of the file. Throws a `bad-input` Failure: `FILE:LINE: PATH: what is wrong`, with a hint.
 * `hints` are for keys that the schema does not know, but people might.
 */
export function checkedYaml<S extends v.GenericSchema>(
  yaml: YamlFile,
  schema: S,
  hints: Readonly<Record<string, string>> = {},
): v.InferOutput<S> {
  const value = yaml.value ?? {}
  const list = misplacedListLook(schema)?.(value)
  if (list !== undefined)
    throw refusal(yaml.file, yaml.lineOf(list), `${placeOf(list)}expected keys and values, got a list`)
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const found = result.issues.slice(0, issuesLookedAt).map((issue) => ({ ...innermostIssue(issue, []), line: 0 }))
  for (const issue of found) issue.line = yaml.lineOf(issue.path)
  // A key that is unknown explains why another one is missing.
  const [first] = found.sort((a, b) => Number(isUnknownKey(b)) - Number(isUnknownKey(a)) || a.line - b.line)
  throw refusalOf(yaml.file, first as FoundIssue, schema, hints)
}

/** Of a file with more mistakes, the first of these are compared. */
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

/** Of a value that fits no member of a union, what is wrong deepest inside it. */
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

/** `optional` and the like wrap a schema; a pipe has the parts of its first one. */
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

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
