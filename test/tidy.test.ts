// Holds the rules of DESIGN.md 6 and 7 and of STYLE.md that a program can check. Every message says what to do.

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

const root = path.join(import.meta.dirname, '..')
const files = ['src', 'test', 'bench', 'docs', '.ci'].flatMap(filesBelow).concat(filesIn('.'))
const code = files.filter(({ path }) => /^(src|test|bench|\.ci)\//.test(path))
// The rules name the words that nobody else may use; the licence, captured data and recorded vectors are not our prose.
const prose = files.filter(({ path }) => !/^(test\/tidy|LICENSE|package-lock|test\/(captured|vectors)\/)/.test(path))

t.test('folders import each other in one direction only', async (t) => check(t, wrongDirections(files)))
t.test('each package from the registry is imported by one folder', async (t) => check(t, scatteredPackages(files)))
t.test('no source file is longer than 400 lines', async (t) => check(t, longFiles(files)))
t.test('no index files, default exports or re-exports', async (t) => check(t, wrongShapes(files)))
t.test('file names use the words of the glossary', async (t) => check(t, wrongFileNames(code)))
t.test('time and chance come in through world', async (t) => check(t, ambientTime(files)))
t.test('code and documents use the words of the glossary', async (t) => check(t, bannedWordsIn(prose)))

t.test('the rules see what they are for', async (t) => {
  const file = (path: string, ...lines: string[]): SourceFile[] => [{ path, text: `${lines.join('\n')}\n` }]
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
    ['a word', bannedWordsIn(file('docs/a.md', 'the master tells its agents'))],
  ]
  for (const [what, problems] of caught) t.equal(problems.length, 1, what)

  const fine: [string, string[]][] = [
    ['cli loads init', wrongDirections(file('src/cli/a.ts', "await import('../node/setup/init.ts')"))],
    ['a comment', ambientTime(file('src/swarm/a.ts', '// Date.now() is not used here'))],
    ['world has the clock', ambientTime(file('src/world/a.ts', 'const now = Date.now()'))],
    ['an option of Node', bannedWordsIn(file('src/world/a.ts', 'tls.connect({ host: address, agent: false })'))],
    ['part of a word', bannedWordsIn(file('docs/a.md', 'fsync, hostname, synchronous'))],
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
