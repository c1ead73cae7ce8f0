// The rules about the shape of the code, as pure functions: files in, sentences about what to do
// out.

import path from 'node:path'
import { parseSync } from 'oxc-parser'
import { importsOf, resolved, type SourceFile, sourcesOf } from './rules.ts'

const functionLinesMax = 100
const filesPerFolderMax = 25
const commentColumnsMax = 110
const workLinesMax = 400

/** Functions that may be longer, by file and name, each with its reason. There are at most 8. */
const longFunctions: Readonly<Record<string, string>> = {}

/** Modules of Node that reach the disk, other machines or other programs. */
const outside =
  /^node:(fs|fs\/promises|net|tls|dgram|dns|dns\/promises|http|http2|https|child_process|worker_threads|cluster|inspector|sqlite)$/

/** Files and folders beside src/world that may do so themselves, and why. */
const mayTouchDisk: Readonly<Record<string, string>> = {
  'src/world/': 'it is the seam that all others get disk, network and programs from',
  'src/cli/banyan.js': 'it starts the Node of the packages, before any of our own modules can be loaded',
  'src/cli/demo/': 'it starts real processes and watches them from outside, as a person would',
  'src/cli/commands/torrent.ts': 'the command line reads and writes the files that a person names',
  'src/cli/commands/node.ts': 'the command line reads the files that a person names',
  'src/node/version.ts': 'package.json is part of the program, not of its world',
  'src/repository/': 'publish reads the packages of a person once, on a real disk; its tests use real files',
  'src/swarm/engine/': 'the engine is a process of its own: its sockets and piece files are what it is for',
  'src/swarm/listener.ts': 'it passes sockets on to the engine, and a socket can be passed on only as it is',
  'src/swarm/checking/check-main.ts': 'it reads payloads in a process of its own, and gives way to all others',
  'src/swarm/checking/check-process.ts': 'it starts that process',
  'src/swarm/engine-process.ts': 'it starts the engine and passes sockets on to it',
  'src/swarm/confinement/handing-over.ts': 'owners and modes of open files go beyond what world’s Disk knows',
  'src/swarm/confinement/engine-start.ts': 'it gives files and open folders to the process that it starts',
  'src/reconcile/providers/drift/': 'it compares and copies files of a target root with their links, owners and modes',
  'src/reconcile/providers/tree/':
    'links, owners, modes and renames of a target root go beyond what world’s Disk knows',
  'src/reconcile/apply/':
    'the apply process outlives the daemon: it has the real disk, a lock of its own, and no world',
}

/** Documents that messages and comments may point to are in the repository. */
const foreignDocuments = /\b(DESIGN|STYLE)\.md\b/

/** Imports of types count: a circle of types is a circle for whoever reads. */
export function circles(files: readonly SourceFile[]): string[] {
  const sources = sourcesOf(files)
  const known = new Set(sources.map((file) => file.path))
  const importsByFile = new Map(
    sources.map((file) => [
      file.path,
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => resolved(file.path, specifier))
        .filter((target) => known.has(target)),
    ]),
  )
  return knotsOf(importsByFile).map(
    (knot) => `${knot.join(', ')} import each other in a circle: move what they share to a file of its own`,
  )
}

/**
 * Sets of files of which each reaches each other one (Tarjan's strongly connected components), and
 * files that import themselves.
 */
function knotsOf(importsByFile: ReadonlyMap<string, readonly string[]>): string[][] {
  const knots: string[][] = []
  const [indexes, lows] = [new Map<string, number>(), new Map<string, number>()]
  const stack: string[] = []
  const visit = (file: string): number => {
    const index = indexes.size
    indexes.set(file, index)
    lows.set(file, index)
    stack.push(file)
    for (const target of importsByFile.get(file) ?? []) {
      const low = indexes.has(target)
        ? stack.includes(target)
          ? (indexes.get(target) ?? index)
          : index
        : visit(target)
      lows.set(file, Math.min(lows.get(file) ?? index, low))
    }
    const low = lows.get(file) ?? index
    if (low === index) {
      const knot = stack.splice(stack.indexOf(file))
      if (knot.length > 1 || importsByFile.get(file)?.includes(file)) knots.push(knot.sort())
    }
    return low
  }
  for (const file of importsByFile.keys()) if (!indexes.has(file)) visit(file)
  return knots
}

/** What a name from outside is called where it is used as a key. */
const outsideKeys = /[\w)](?:\?\.)?\[(?:name|group|label|fact|(?:one|state|terms)\.\w+)\](?!\s*=[^=])/

/**
 * `record[name]` finds `constructor` in every object. Keys that the code itself lists are fine
 * where the line says so: `as keyof`, or one of the files below.
 */
export function outsideLookups(files: readonly SourceFile[]): string[] {
  return sourcesOf(files)
    .filter(({ path }) => !Object.keys(ownKeys).some((allowed) => path.startsWith(allowed)))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        const match = outsideKeys.exec(line.replace(/^\s*(\/\/|\*).*$/, ''))
        return match === null
          ? []
          : [`${path}:${index + 1} looks up ${match[0]}: take own() of model/packages/records.ts, or a Map`]
      }),
    )
}

/** Who writes to a terminal or a log: all others go through them, and so through src/model/line.ts. */
const writers: Readonly<Record<string, string>> = {
  'src/cli/output.ts': 'what commands print',
  'src/cli/banyan.js': 'it starts the Node of the packages, before any of our own modules can be loaded',
  'src/node/setup/process-log.ts': 'the log of a process',
  'src/node/main.ts': 'what the daemon says before there is a log, and that it is ready',
  'src/model/json-schema.ts': 'a program of its own, which prints our own schema',
  'src/world/facts-main.ts': 'its output is read by the daemon',
  'src/reconcile/apply/apply-process.ts': 'its output is a file of the daemon',
  'src/reconcile/apply/left-behind.ts': 'its output is a file of the daemon',
}

/** One place says which characters of foreign text a person gets to see. */
export function wildOutput(files: readonly SourceFile[]): string[] {
  return sourcesOf(files)
    .filter(({ path, text }) => /\bprocess\.std(out|err)\.write\(|\bconsole\.\w+\(/.test(text) && !(path in writers))
    .map(({ path }) => `${path} writes to a terminal by itself: take src/cli/output.ts or a Log`)
}

/** Files whose keys all come from their own code. */
const ownKeys: Readonly<Record<string, string>> = {
  'src/cli/': 'options and conditions are listed in the commands themselves',
  'src/swarm/engine-process.ts': 'names of environment variables, listed there',
  'src/model/packages/records.ts': 'it is what all others use',
  'src/model/units/': 'units are listed there and looked up with Object.hasOwn',
}

export function tooLongFunctions(files: readonly SourceFile[], allowed = longFunctions): string[] {
  const long = sourcesOf(files)
    .flatMap(functionsOf)
    .filter(({ lines }) => lines > functionLinesMax)
  const names = new Set(long.map(({ file, name }) => `${file} ${name}`))
  return [
    ...long
      .filter(({ file, name }) => allowed[`${file} ${name}`] === undefined)
      .map(
        ({ file, name, line, lines }) => `${file}:${line} ${name} has ${lines} lines: name its stages, or its state`,
      ),
    ...Object.keys(allowed)
      .filter((name) => files.length > 1 && !names.has(name))
      .map((name) => `${name} is short enough: take it off the table of long functions`),
    ...(Object.keys(allowed).length > 8 ? ['more than 8 functions may be long: shorten one of them'] : []),
  ]
}

interface FoundFunction {
  file: string
  /** Of the function, or of what it is assigned to; else of the function around it. */
  name: string
  line: number
  lines: number
}

function functionsOf({ path, text }: SourceFile): FoundFunction[] {
  const { program } = parseSync(path, text)
  const starts = [...text.matchAll(/^/gm)].map(({ index }) => index)
  const lineAt = (offset: number) => starts.findLastIndex((start) => start <= offset) + 1
  const found: FoundFunction[] = []
  const visit = (value: unknown, around: string): void => {
    if (Array.isArray(value)) for (const each of value) visit(each, around)
    if (!isNode(value)) return
    const own = nameOf(value['id']) ?? nameOf(value['key'])
    const name = own ?? around
    if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(value.type)) {
      const [first, last] = [lineAt(value.start), lineAt(value.end)]
      found.push({ file: path, name, line: first, lines: last - first + 1 })
    }
    for (const each of Object.values(value)) if (typeof each === 'object') visit(each, name)
  }
  visit(program.body, '')
  return found
}

interface Node {
  type: string
  start: number
  end: number
  [field: string]: unknown
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

function nameOf(value: unknown): string | undefined {
  return isNode(value) && typeof value['name'] === 'string' ? value['name'] : undefined
}

export function fullFolders(files: readonly SourceFile[]): string[] {
  const counts = Map.groupBy(sourcesOf(files), (file) => path.posix.dirname(file.path))
  return [...counts]
    .filter(([, inside]) => inside.length > filesPerFolderMax)
    .map(([folder, inside]) => `${folder} has ${inside.length} files: find the second job in it and give it a folder`)
}

export function longComments(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => /^(src|test|bench|\.ci)\/.*(\.[jt]s|run)$/.test(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          /^\s*(\/\/|\/\*|\*|#)/.test(line) && line.length > commentColumnsMax
            ? [`${path}:${index + 1} is a comment of ${line.length} columns: break it at 100`]
            : [],
        ),
    )
}

export function ambientDisk(files: readonly SourceFile[]): string[] {
  return sourcesOf(files)
    .filter(({ path }) => !Object.keys(mayTouchDisk).some((allowed) => path.startsWith(allowed)))
    .flatMap((file) =>
      importsOf(file)
        // Asking whether a text is an address reaches nothing.
        .filter(
          ({ specifier, typeOnly, names }) => !typeOnly && outside.test(specifier) && !/^\{ ?isIP\w* ?\}$/.test(names),
        )
        .map(
          ({ specifier }) => `${file.path} imports ${specifier}: take the part of world that you need as a parameter`,
        ),
    )
}

/**
 * src/work takes functions and knows no noun of the project. `nouns` are the words of
 * docs/glossary.md.
 */
export function wrongWork(files: readonly SourceFile[], nouns: readonly string[]): string[] {
  const work = sourcesOf(files).filter(({ path }) => path.startsWith('src/work/'))
  const lines = work.reduce((sum, { text }) => sum + text.split('\n').length - 1, 0)
  return [
    ...(lines > workLinesMax
      ? [`src/work has ${lines} lines: what of it has only one user goes back to that user`]
      : []),
    ...work.flatMap((file) =>
      path.posix
        .basename(file.path)
        .split(/[-.]/)
        .filter((word) => nouns.includes(word))
        .map((word) => `${file.path}: "${word}" is a noun of the project, and src/work has none`),
    ),
  ]
}

/** The nouns that docs/glossary.md explains: the bold words before the colon of each entry. */
export function nounsOf(glossary: string): string[] {
  const entries = glossary.split('\n').filter((line) => line.startsWith('- **'))
  return entries.flatMap((line) =>
    [...(line.split(':')[0] ?? '').matchAll(/\*\*(\w+)\*\*/g)].map(([, word]) => word ?? ''),
  )
}

export function foreignReferences(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        foreignDocuments.test(line) ? [`${path}:${index + 1} points to a document that is not in the repository`] : [],
      ),
  )
}
