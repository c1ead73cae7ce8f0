// Reads YAML files that people write into plain values, and remembers the line of each value, so
// that a refusal can name it.

import type { Alias, Document, LineCounter, Node } from 'yaml'
import { Failure } from '../failure.ts'
import { limits } from '../limits.ts'

export type YamlPath = readonly (string | number)[]

export interface YamlFile {
  /** The name of the file in messages. */
  file: string
  /** Plain objects, lists and scalars. Undefined if the file holds nothing but comments. */
  value: unknown
  /**
   * The line, from 1, of the value at the path, or of the nearest value above if the path leads
   * nowhere.
   */
  lineOf(path: YamlPath): number
}

export interface YamlOptions {
  file: string
  maxBytes: number
  /**
   * `text`: every scalar stays text, so that a version 4.10 stays 4.10 and a country `no` stays
   * `no`. `typed`: scalars become numbers, booleans and null as in YAML 1.2.
   */
  scalars: 'text' | 'typed'
}

/**
 * Throws a `bad-input` or `too-large` Failure whose message starts with `FILE:LINE: `. A byte order
 * mark and CRLF are accepted.
 */
export async function readYaml(content: Uint8Array | string, options: YamlOptions): Promise<YamlFile> {
  const text = textOf(content, options)
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const document = orTooDeep(options.file, () =>
    yaml.parseDocument(text, {
      lineCounter: lines,
      schema: options.scalars === 'text' ? 'failsafe' : 'core',
      prettyErrors: false,
      logLevel: 'error',
      // The package compares every key with every other one, which takes too long. `plainOf` checks
      // instead.
      uniqueKeys: false,
    }),
  )
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) {
    const message = /call stack/.test(problem.message) ? 'nested too deeply' : lowerFirst(problem.message)
    throw refusal(options.file, lines.linePos(problem.pos[0]).line, message)
  }
  const targets = orTooDeep(options.file, () => targetsIn(yaml, document))
  const source = { yaml, document, targets, lines, file: options.file }
  return { file: options.file, value: plainOf(source), lineOf: (path) => lineAt(source, path) }
}

/**
 * The `bad-input` Failure for a mistake in a file: `FILE:LINE: message`. The message may quote a key
 * of the file, however long that is.
 */
export function refusal(file: string, line: number, message: string, hint?: string): Failure {
  const said = message.slice(0, limits.reportTextMaxChars)
  return new Failure('bad-input', `${file}:${line}: ${said}`, hint === undefined ? {} : { hint })
}

/** The parser calls itself for each level, and a short file can have many levels. */
function orTooDeep<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw refusal(file, 1, 'nested too deeply')
  }
}

/**
 * What each alias stands for: the last node before it with its anchor. The package's own `resolve`
 * searches the whole document for each alias.
 */
function targetsIn(yaml: typeof import('yaml'), document: Document): Map<Alias, Node> {
  const anchored = new Map<string, Node>()
  const targets = new Map<Alias, Node>()
  yaml.visit(document, (_key, node) => {
    if (!yaml.isNode(node)) return
    if (yaml.isAlias(node)) {
      const target = anchored.get(node.source)
      if (target !== undefined) targets.set(node, target)
    } else if (node.anchor !== undefined) {
      anchored.set(node.anchor, node)
    }
  })
  return targets
}

interface Source {
  yaml: typeof import('yaml')
  document: Document
  targets: ReadonlyMap<Alias, Node>
  lines: LineCounter
  file: string
}

function textOf(content: Uint8Array | string, { file, maxBytes }: YamlOptions): string {
  const size = typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength
  if (size > maxBytes) throw new Failure('too-large', `${file}:1: ${size} bytes are over the limit of ${maxBytes}`)
  const text = (typeof content === 'string' ? content : utf8Of(content, file)).replace(/^\uFEFF/, '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point.
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(text)
  if (control === null) return text
  const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  throw refusal(file, text.slice(0, control.index).split('\n').length, `control character U+${code}`)
}

function utf8Of(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const before = new TextDecoder('utf-8').decode(bytes).split('\uFFFD')[0] ?? ''
    throw refusal(file, before.split('\n').length, 'not UTF-8 text', 'save the file as UTF-8')
  }
}

/** Follows aliases, within limits: a page of them could stand for more than fits in memory. */
function plainOf({ yaml, document, targets, lines, file }: Source): unknown {
  let values = 0
  const visit = (node: unknown, depth: number, lineAbove: number): unknown => {
    if (!yaml.isNode(node)) return null
    values += 1
    const line = lineOfNode(node, lines) ?? lineAbove
    if (depth > limits.yamlDepthMax) throw refusal(file, line, `nested more than ${limits.yamlDepthMax} deep`)
    if (values > limits.yamlValuesMax) {
      throw refusal(file, line, `more than ${limits.yamlValuesMax} values`, 'aliases count as often as they are used')
    }
    if (yaml.isAlias(node)) {
      const target = targets.get(node)
      if (target === undefined) throw refusal(file, line, `*${node.source} is not defined above`)
      return visit(target, depth + 1, line)
    }
    if (yaml.isSeq(node)) return node.items.map((item) => visit(item, depth + 1, line))
    if (!yaml.isMap(node)) return (node as { value?: unknown }).value ?? null
    const plain: Record<string, unknown> = {}
    for (const { key, value } of node.items) {
      const lineOfKey = lineOfNode(key, lines) ?? line
      const name = yaml.isScalar(key) ? String(key.source ?? key.value) : undefined
      if (name === undefined) throw refusal(file, lineOfKey, 'expected a plain word as key')
      // Every JavaScript object has keys of these names, so a schema would skip them in silence.
      if (['__proto__', 'constructor', 'prototype'].includes(name)) {
        throw refusal(file, lineOfKey, `${JSON.stringify(name)} cannot be used as a key`)
      }
      if (Object.hasOwn(plain, name)) {
        throw refusal(file, lineOfKey, `${JSON.stringify(name)} is there twice`, 'keep one of the two')
      }
      plain[name] = visit(value, depth + 1, lineOfKey)
    }
    return plain
  }
  // If there is nothing but comments or `---`, the whole document is an empty scalar.
  return visit(document.contents, 0, 1) || undefined
}

function lineAt({ yaml, document, targets, lines }: Source, path: YamlPath): number {
  let node: unknown = document.contents
  let line = lineOfNode(node, lines) ?? 1
  for (const key of path) {
    if (yaml.isAlias(node)) node = targets.get(node)
    if (yaml.isMap(node)) {
      const pair = node.items.find((item) => yaml.isScalar(item.key) && String(item.key.value) === String(key))
      if (pair === undefined) return line
      line = lineOfNode(pair.key, lines) ?? line
      node = pair.value
    } else if (yaml.isSeq(node)) {
      node = node.items[Number(key)]
      line = lineOfNode(node, lines) ?? line
    } else {
      return line
    }
  }
  return line
}

function lineOfNode(node: unknown, lines: LineCounter): number | undefined {
  const range = (node as Node | null | undefined)?.range
  return range ? lines.linePos(range[0]).line : undefined
}

/** For messages of packages, which begin with a capital letter. */
export function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
