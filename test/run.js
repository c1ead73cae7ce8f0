// Runs the tests: `node test/run.js` all but the end-to-end ones, `node test/run.js e2e` those. Further arguments go to
// tap. Plain JavaScript, so that a Node that is too old gets one clear line.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..')
const tap = path.join(root, 'node_modules', '.bin', 'tap')
const [first, ...rest] = process.argv.slice(2)

if (Number.parseInt(process.versions.node, 10) < 26) {
  process.stderr.write(
    `error: the tests need Node 26, this is ${process.versions.node}\n` +
      "hint: npm ci, then npm test: npm puts the project's own Node first on PATH\n",
  )
  process.exit(1)
}

// After `npm ci` tap still has its TypeScript plugin built in, which the settings in .taprc leave out.
const built = path.join(root, 'node_modules', '@tapjs', 'test', 'test-built', 'dist', 'esm', 'index.js')
if (!fs.existsSync(built) || fs.readFileSync(built, 'utf8').includes('@tapjs/typescript')) {
  await run(['build'])
}

process.exitCode =
  first === 'e2e'
    ? await run(['--jobs=1', '--timeout=600', ...rest, ...testsBelow(path.join('test', 'e2e'))])
    : await run(first === undefined ? [] : [first, ...rest])

function testsBelow(folder) {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => path.join(folder, name))
}

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fs.realpathSync(tap), ...args], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'banyan') },
    })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
