// Holds the rules of ARCHITECTURE.md, CONTRIBUTING.md and docs/glossary.md that a program can
// check. Every message says what to do.

import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import {
  ambientTime,
  bannedWordsIn,
  longFiles,
  type SourceFile,
  scatteredPackages,
  wrongDirections,
  wrongFileNames,
  wrongShapes,
} from './tidy/rules.ts'
import {
  ambientDisk,
  circles,
  foreignReferences,
  fullFolders,
  longComments,
  nounsOf,
  outsideLookups,
  tooLongFunctions,
  wildOutput,
  wrongWork,
} from './tidy/structure.ts'

// The machine may have other work: reading everything takes as long as it takes.
t.setTimeout(1_200_000)
const root = path.join(import.meta.dirname, '..')
const files = ['src', 'test', 'bench', 'docs', '.ci'].flatMap(filesBelow).concat(filesIn('.'))
const code = files.filter(({ path }) => /^(src|test|bench|\.ci)\//.test(path))
// The rules name the words that nobody else may use; the licence, captured data and recorded
// vectors are not our prose.
const glossary = fs.readFileSync(path.join(root, 'docs', 'glossary.md'), 'utf8')
const prose = files.filter(({ path }) => !/^(test\/tidy|LICENSE|package-lock|test\/(captured|vectors)\/)/.test(path))

t.test('folders import each other in one direction only', async (t) => check(t, wrongDirections(files)))
t.test('each package from the registry is imported by one folder', async (t) => check(t, scatteredPackages(files)))
t.test('no source file is longer than 400 lines', async (t) => check(t, longFiles(files)))
t.test('no index files, default exports or re-exports', async (t) => check(t, wrongShapes(files)))
t.test('file names use the words of the glossary', async (t) => check(t, wrongFileNames(code)))
t.test('time and chance come in through world', async (t) => check(t, ambientTime(files)))
t.test('code and documents use the words of the glossary', async (t) => check(t, bannedWordsIn(prose)))
t.test('no files import each other in a circle', async (t) => check(t, circles(files)))
t.test('no function is longer than 100 lines', async (t) => check(t, tooLongFunctions(files)))
t.test('no folder of src has more than 25 files', async (t) => check(t, fullFolders(files)))
t.test('no comment is wider than 110 columns', async (t) => check(t, longComments(files)))
t.test('disk, network and programs come in through world', async (t) => check(t, ambientDisk(files)))
t.test('names from outside are no keys of plain objects', async (t) => check(t, outsideLookups(files)))
t.test('foreign text reaches a person in one way', async (t) => check(t, wildOutput(files)))
t.test('src/work knows no noun of the project', async (t) => check(t, wrongWork(files, nounsOf(glossary))))
t.test('code points to documents of the repository', async (t) => {
  check(t, foreignReferences(code.filter(({ path }) => !path.startsWith('test/tidy'))))
})

t.test('the rules see what they are for', async (t) => {
  const file = (path: string, ...lines: string[]): SourceFile[] => [{ path, text: `${lines.join('\n')}\n` }]
  const lines = (count: number) => Array.from({ length: count }, () => '  x()')
  const long = file('src/swarm/a.ts', 'export function a() {', ...lines(100), '}')
  const caught: [string, string[]][] = [
    ['model imports world', wrongDirections(file('src/model/a.ts', "import { b } from '../world/b.ts'"))],
    ['a type counts', wrongDirections(file('src/model/a.ts', "import type { B } from '../world/b.ts'"))],
    ['many lines', wrongDirections(file('src/swarm/a.ts', 'import {', '  b,', "} from '../tracker/b.ts'"))],
    ['dynamic', wrongDirections(file('src/report/a.ts', "const b = await import('../swarm/b.ts')"))],
    ['cli loads the daemon', wrongDirections(file('src/cli/a.ts', "await import('../node/main.ts')"))],
    ['cli imports init', wrongDirections(file('src/cli/a.ts', "import { initRoot } from '../node/setup/init.ts'"))],
    ['src imports test', wrongDirections(file('src/node/a.ts', "import { b } from '../../test/b.ts'"))],
    [
      'a package in two folders',
      scatteredPackages([
        ...file('src/world/a.ts', "import { Level } from 'level'"),
        ...file('src/swarm/b.ts', "import { Level } from 'level'"),
      ]),
    ],
    ['a long file', longFiles(file('src/swarm/a.ts', ...Array.from({ length: 401 }, () => 'x()')))],
    ['an index file', wrongShapes(file('src/swarm/index.ts', ''))],
    ['a default export', wrongShapes(file('src/swarm/a.ts', 'export default function a() {}'))],
    ['a re-export', wrongShapes(file('src/swarm/a.ts', "export { b } from './b.ts'"))],
    ['a re-export of all', wrongShapes(file('src/swarm/a.ts', "export * from './b.ts'"))],
    ['a file name', wrongFileNames(file('src/swarm/peer-manager.ts', ''))],
    ['a folder name', wrongFileNames(file('src/utils/a.ts', ''))],
    ['the clock', ambientTime(file('src/swarm/a.ts', 'const now = Date.now()'))],
    ['a timer', ambientTime(file('src/swarm/a.ts', 'setTimeout(look, 10)'))],
    ['chance', ambientTime(file('src/swarm/a.ts', 'if (Math.random() < 0.5) return'))],
    [
      'a circle',
      circles([
        ...file('src/swarm/a.ts', "import { b } from './b.ts'"),
        ...file('src/swarm/b.ts', "import { c } from './c.ts'"),
        ...file('src/swarm/c.ts', "import type { A } from './a.ts'"),
      ]),
    ],
    ['a long function', tooLongFunctions(file('src/swarm/a.ts', 'export function a() {', ...lines(100), '}'), {})],
    ['a long arrow', tooLongFunctions(file('src/swarm/a.ts', 'const a = (): void => {', ...lines(100), '}'), {})],
    ['nine exceptions', tooLongFunctions(file('src/swarm/a.ts'), Object.fromEntries([...'123456789'].entries()))],
    ['a full folder', fullFolders(Array.from({ length: 26 }, (_, n) => ({ path: `src/swarm/a${n}.ts`, text: '' })))],
    ['a wide comment', longComments(file('src/swarm/a.ts', `// ${'x'.repeat(108)}`))],
    ['the disk', ambientDisk(file('src/swarm/a.ts', "import * as fs from 'node:fs'"))],
    ['a socket', ambientDisk(file('src/swarm/a.ts', "import { connect, isIP } from 'node:net'"))],
    ['a lookup by a name from outside', outsideLookups(file('src/node/a.ts', 'const x = facts?.[name]'))],
    ['a terminal', wildOutput(file('src/node/a.ts', 'process.stderr.write(name)'))],
    ['much work', wrongWork(file('src/work/a.ts', ...lines(401)), [])],
    [
      'a noun in work',
      wrongWork(file('src/work/parent-turns.ts'), nounsOf('- **parent**, **child**: as in any tree.')),
    ],
    ['a document elsewhere', foreignReferences(file('src/swarm/a.ts', '// DESIGN.md 7'))],
    ['a word', bannedWordsIn(file('docs/a.md', 'the master tells its agents'))],
  ]
  for (const [what, problems] of caught) t.equal(problems.length, 1, what)

  const fine: [string, string[]][] = [
    ['cli loads init', wrongDirections(file('src/cli/a.ts', "await import('../node/setup/init.ts')"))],
    ['a comment', ambientTime(file('src/swarm/a.ts', '// Date.now() is not used here'))],
    ['world has the clock', ambientTime(file('src/world/a.ts', 'const now = Date.now()'))],
    ['an option of Node', bannedWordsIn(file('src/world/a.ts', 'tls.connect({ host: address, agent: false })'))],
    ['part of a word', bannedWordsIn(file('docs/a.md', 'fsync, hostname, synchronous'))],
    ['no circle', circles([...file('src/swarm/a.ts', "import { b } from './b.ts'"), ...file('src/swarm/b.ts', 'b')])],
    ['a listed function', tooLongFunctions(long, { 'src/swarm/a.ts a': 'it is a table' })],
    ['an entry that is written', outsideLookups(file('src/node/a.ts', 'plain[name] = x'))],
    ['a type of the disk', ambientDisk(file('src/swarm/a.ts', "import type { Stats } from 'node:fs'"))],
    ['a question about a text', ambientDisk(file('src/swarm/a.ts', "import { isIP } from 'node:net'"))],
    ['a package in one folder', scatteredPackages(file('src/world/a.ts', "import { Level } from 'level'"))],
  ]
  for (const [what, problems] of fine) t.same(problems, [], what)
})

function check(t: Test, problems: readonly string[]): void {
  if (problems.length === 0) t.pass('nothing to do')
  for (const problem of problems) t.fail(problem)
}

function filesBelow(folder: string): SourceFile[] {
  const at = path.join(root, folder)
  if (!fs.existsSync(at)) return []
  return fs
    .readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.([jt]s|md|json|ya?ml)$|^run$/.test(entry.name))
    .map((entry) => read(path.join(entry.parentPath, entry.name)))
}

function filesIn(folder: string): SourceFile[] {
  return fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(md|json)$/.test(entry.name))
    .map((entry) => read(path.join(root, folder, entry.name)))
}

function read(file: string): SourceFile {
  return { path: path.relative(root, file).replaceAll(path.sep, '/'), text: fs.readFileSync(file, 'utf8') }
}
