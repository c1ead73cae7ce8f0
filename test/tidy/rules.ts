// The rules about the code, as pure functions: files in, sentences about what to do out.

export interface SourceFile {
  /** Relative to the repository, with slashes. */
  path: string
  text: string
}

const features = ['repository', 'objects', 'swarm', 'tracker', 'reconcile', 'report']
const ground = ['model', 'world', 'work', 'trust']

/**
 * Which folders of src/ a folder may import (ARCHITECTURE.md, "Map"). Features meet in release and
 * node only.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  world: ['model'],
  work: ['model', 'world'],
  trust: ['model', 'world', 'work'],
  ...Object.fromEntries(features.map((feature) => [feature, ground])),
  release: [...ground, 'repository', 'report', 'objects'],
  dashboard: ['model', 'world', 'work'],
  node: [...ground, ...features, 'release', 'dashboard'],
  cli: ['model', 'world', 'work'],
}

/** Folders whose types a folder may import beside that. */
const mayImportTypes: Readonly<Record<string, readonly string[]>> = { release: ['swarm', 'reconcile'] }

/**
 * Three commands work where there is no daemon
 * (docs/decisions/0001-cli-starts-without-a-daemon.md).
 */
const cliMayLoad = ['node/setup/init.ts', 'node/setup/join.ts', 'node/setup/join-again.ts', 'node/setup/doctor.ts']

/** Packages that more than one folder may import, and why. */
const sharedPackages: Readonly<Record<string, string>> = {
  valibot: 'every folder parses its own formats at its edge',
}

const linesMax = 400

const bannedWords = [
  'master',
  'slave',
  'agent',
  'host',
  'mirror',
  'chunk',
  'artifact',
  'deploy',
  'sync',
  'manager',
  'helper',
  'util',
  'common',
  'misc',
]

/**
 * Where a banned word is somebody else's name: an option or class of Node or of a package, a name
 * in a foreign format.
 */
const foreignWords: readonly RegExp[] = [
  // ip-link(8)
  /'master', 'bridge'/,
  /\b(host|agent|sync)\??:/g, // options of node:net, node:https, level
  /\bsync['"]?\]?: ?true/g,
  /\bAgent\b(?=[,>({\s)|[\]=]|$)/g, // the class of node:https
  /^\s*agent,$/g,
  /\.sync\(/g, // FileHandle
  /\.host\b/g,
  /\bnode:util\b/g,
  /\bcommon name\b/gi, // of a certificate
  /\brelease manager\b/gi, // a person
  /\bpackage managers?\b/gi, // the operating system's
  /\bMulti-Arch\b/gi,
  /`[^`]*\b(host|sync|agent|mirror|common|util|chunk)\b[^`]*`/g, // a quoted name in prose or a template
]

/**
 * What somebody else's code imports in place of something of its own has the exports that it asks
 * for.
 */
const standsIn = ['src/swarm/no-webrtc/', 'src/swarm/engine/left-out/']

/** Files that may read the clock, take chance or set timers themselves, and why. */
const mayTouchTime: Readonly<Record<string, string>> = {
  'src/world/': 'it is the seam that all others get the clock, timers and chance from',
  'src/node/main.ts': 'the process itself: its last timer has to fire when the daemon and its world hang',
  'src/cli/demo/': 'it watches real processes from outside, as a person would',
}

export interface Import {
  from: string
  specifier: string
  dynamic: boolean
  /** Whether nothing but types is imported: `import type`. */
  typeOnly: boolean
  /** What stands between `import` and `from`, on one line. */
  names: string
}

export function importsOf(file: SourceFile): Import[] {
  const text = withoutComments(file.text)
  const statics = text.matchAll(/^\s*((?:import|export)\b[^'"`;()=]*?\bfrom|import)\s*['"]([^'"\n]+)['"]/gm)
  const dynamics = text.matchAll(/\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g)
  return [
    ...[...statics].map((match) => ({
      from: file.path,
      specifier: match[2] ?? '',
      dynamic: false,
      typeOnly: /^import\s+type\b/.test(match[1] ?? ''),
      names: (match[1] ?? '').replace(/^import\s+|\s+from$/g, '').replace(/\s+/g, ' '),
    })),
    ...[...dynamics].map((match) => ({
      from: file.path,
      specifier: match[1] ?? '',
      dynamic: true,
      typeOnly: false,
      names: '',
    })),
  ]
}

export function wrongDirections(files: readonly SourceFile[]): string[] {
  return sourcesOf(files)
    .flatMap(importsOf)
    .flatMap(({ from, specifier, dynamic, typeOnly }) => {
      if (!specifier.startsWith('.')) return []
      const target = resolved(from, specifier)
      if (!target.startsWith('src/'))
        return target === 'package.json' ? [] : [`${from} imports ${target}: src/ imports only src/`]
      const [here, there] = [folderOf(from), folderOf(target)]
      if (here === there || mayImport[here]?.includes(there)) return []
      if (typeOnly && mayImportTypes[here]?.includes(there)) return []
      if (here === 'cli' && dynamic && cliMayLoad.includes(target.slice('src/'.length))) return []
      return [
        `${from} imports ${target}: src/${here} may import ${(mayImport[here] ?? []).join(', ') || 'nothing of ours'}; ` +
          (features.includes(here) && features.includes(there)
            ? 'let src/node introduce the two, or move the noun to src/model'
            : 'pass the value in, or move what both need to src/model or src/world'),
      ]
    })
}

/** `folderPackages`: package name -> the folders that import it. */
export function scatteredPackages(files: readonly SourceFile[]): string[] {
  const foldersByPackage = new Map<string, Set<string>>()
  for (const { from, specifier } of sourcesOf(files).flatMap(importsOf)) {
    if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    foldersByPackage.set(name, (foldersByPackage.get(name) ?? new Set()).add(folderOf(from)))
  }
  return [...foldersByPackage]
    .filter(([name, folders]) => folders.size > 1 && sharedPackages[name] === undefined)
    .map(
      ([name, folders]) =>
        `${name} is imported by ${[...folders].sort().join(' and ')}: put what is needed of it behind one file of one folder`,
    )
}

export function longFiles(files: readonly SourceFile[]): string[] {
  return sourcesOf(files)
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > linesMax)
    .map(({ path, lines }) => `${path} has ${lines} lines: find the second noun in it and give it a file`)
}

export function wrongShapes(files: readonly SourceFile[]): string[] {
  return sourcesOf(files).flatMap(({ path, text }) => {
    const code = withoutComments(text)
    const problems: string[] = []
    if (/(^|\/)index\.[a-z]+$/.test(path)) problems.push(`${path}: name the file for the noun that it owns`)
    if (standsIn.some((folder) => path.startsWith(folder)) || path.endsWith('.d.ts')) return problems
    if (/^\s*export\s+default\b/m.test(code) || /\bas\s+default\s*\}/.test(code)) {
      problems.push(`${path} has a default export: export it by its name`)
    }
    if (/^\s*export\s+(type\s+)?(\*|\{[^}]*\})\s*(as\s+\w+\s+)?from\b/m.test(code)) {
      problems.push(`${path} re-exports: let the importer name the file that owns it`)
    }
    return problems
  })
}

export function wrongFileNames(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path }) => {
    const words = path.toLowerCase().split(/[^a-z0-9]+/)
    return bannedWords
      .filter((word) => words.includes(word) || words.includes(`${word}s`))
      .map((word) => `${path}: not "${word}"; docs/glossary.md has the words to use`)
  })
}

export function ambientTime(files: readonly SourceFile[]): string[] {
  // Letting others take a turn (setImmediate) takes no time that a test would have to wait for.
  const ambient =
    /\b(Date\.now|Math\.random|performance\.now|setTimeout|setInterval)\s*\(|\bnew Date\(\)|\b(setTimeout|setInterval)\b.*\bfrom 'node:timers/
  return sourcesOf(files)
    .filter(({ path }) => !Object.keys(mayTouchTime).some((allowed) => path.startsWith(allowed)))
    .flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .flatMap((line, index) => {
          const match = ambient.exec(line)
          return match === null
            ? []
            : [`${path}:${index + 1} has ${match[0]}: take the clock or random part of world as a parameter`]
        }),
    )
}

export function bannedWordsIn(files: readonly SourceFile[]): string[] {
  const banned = new RegExp(`\\b(${bannedWords.join('|')})s?\\b`, 'i')
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const match = banned.exec(foreignWords.reduce((rest, foreign) => rest.replace(foreign, ''), line))
      return match === null ? [] : [`${path}:${index + 1} says "${match[0]}": docs/glossary.md has the words to use`]
    }),
  )
}

export function sourcesOf(files: readonly SourceFile[]): SourceFile[] {
  return files.filter(({ path }) => path.startsWith('src/') && /\.[jt]s$/.test(path))
}

/** Line numbers stay as they are. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[\s;,{(])\/\/.*$/gm, '$1')
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? ''
}

export function resolved(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1)
}
