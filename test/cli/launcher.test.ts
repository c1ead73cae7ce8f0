// The launcher under an older Node and under the project's own.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { launcher, runBanyan } from './run-banyan.ts'

const root = path.join(import.meta.dirname, '..', '..')
const foundNode = findOldNode()
const oldNode = foundNode ?? 'node'
const needsOldNode = foundNode === undefined ? { skip: 'no Node older than 26 on this machine' } : {}
const packageVersion = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).version

t.test('the right Node runs the command line itself', async (t) => {
  const ended = await runBanyan(['--version'])
  t.match(ended, { code: 0, stdout: `${packageVersion}\n`, stderr: '' })
})

t.test("an older Node runs the command line with the project's own", needsOldNode, async (t) => {
  t.match(await runBanyan(['--version'], { node: oldNode }), { code: 0, stdout: `${packageVersion}\n`, stderr: '' })
  t.match(await runBanyan(['nonsense'], { node: oldNode }), { code: 2, stderr: /^error: unknown command nonsense$/m })
})

t.test('an older Node that finds no other says what to do', needsOldNode, async (t) => {
  const program = copyOfLauncher(t)
  const ended = await runBanyan(['--version'], { node: oldNode, program })
  t.match(ended, { code: 1, stdout: '', stderr: /^error: banyan needs Node 26, this is \d+[.\d]+\nhint: npm ci .*\n$/ })
})

t.test('an older Node passes signals on and ends as the real process ends', needsOldNode, async (t) => {
  const program = copyOfLauncher(t, [
    "for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {",
    "  process.on(signal, () => console.log('got ' + signal))",
    '}',
    "process.on('SIGHUP', () => process.exit(7))",
    "console.log('ready', ...process.argv.slice(3))",
    'setInterval(() => {}, 1000)',
  ])
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const ended = await runBanyan(['node', '--home', 'x'], {
    node: oldNode,
    program,
    onOutput: (kill, stdout) => {
      const next = signals[stdout.split('\n').length - 2]
      if (next !== undefined) kill(next)
    },
  })
  t.match(ended, { code: 7, signal: null, stdout: 'ready node --home x\ngot SIGINT\ngot SIGTERM\ngot SIGHUP\n' })
})

t.test('an older Node dies of the signal that the real process died of', needsOldNode, async (t) => {
  const program = copyOfLauncher(t, ["process.kill(process.pid, 'SIGKILL')"])
  t.match(await runBanyan([], { node: oldNode, program }), { code: null, signal: 'SIGKILL' })
})

t.test('the daemon takes the place of the command line, in the same process', async (t) => {
  const folder = temporaryFolder(t)
  for (const name of ['cli', 'model', 'world']) {
    fs.cpSync(path.join(root, 'src', name), path.join(folder, 'src', name), { recursive: true })
  }
  fs.copyFileSync(path.join(root, 'package.json'), path.join(folder, 'package.json'))
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  fs.mkdirSync(path.join(folder, 'src', 'node'))
  fs.writeFileSync(
    path.join(folder, 'src', 'node', 'main.js'),
    `process.kill(process.ppid, 0)
     console.log(JSON.stringify({ pid: process.pid, args: process.argv.slice(2), arenas: process.env.MALLOC_ARENA_MAX }))
     setInterval(() => {}, 1000)`,
  )
  let told = ''
  const ended = await runBanyan(['node', '--home', 'somewhere'], {
    program: path.join(folder, 'src', 'cli', 'banyan.js'),
    cwd: folder,
    onOutput: (kill, stdout) => {
      told = stdout
      // Only if the daemon is the very process that was started does the signal reach it.
      kill('SIGTERM')
    },
  })
  t.match(ended, { signal: 'SIGTERM' })
  t.match(JSON.parse(told), { args: ['--home', path.join(folder, 'somewhere')], arenas: '2' })
})

t.test('compiled code is kept beside the installation', async (t) => {
  const folder = temporaryFolder(t)
  fs.mkdirSync(path.join(folder, 'node_modules'))
  t.equal(cacheOf(folder, {}), path.join(folder, 'node_modules', '.cache', 'banyan'))
})

t.test('compiled code is kept in a folder of the user where the installation has no room for it', async (t) => {
  const folder = temporaryFolder(t)
  const expected = path.join(folder, `banyan-cache-${process.getuid?.()}`)
  t.equal(cacheOf(folder, { TMPDIR: folder }), expected)
  t.equal(fs.statSync(expected).mode & 0o777, 0o700)
  t.equal(cacheOf(folder, { TMPDIR: folder }), expected, 'a second start uses the same')
})

t.test('compiled code is never read from a folder that others can write to', async (t) => {
  const folder = temporaryFolder(t)
  const prepared = path.join(folder, `banyan-cache-${process.getuid?.()}`)
  fs.mkdirSync(prepared)
  fs.chmodSync(prepared, 0o777)
  t.equal(cacheOf(folder, { TMPDIR: folder }), 'none')
  fs.rmdirSync(prepared)
  fs.symlinkSync(folder, prepared)
  t.equal(cacheOf(folder, { TMPDIR: folder }), 'none', 'nor through a link')
})

/** Which folder a copy of compile-cache.js below `folder` chooses. */
function cacheOf(folder: string, env: Record<string, string>): string {
  const file = path.join(folder, 'src', 'world', 'compile-cache.js')
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.copyFileSync(path.join(root, 'src', 'world', 'compile-cache.js'), file)
  const script = `import { enableCompileCache } from ${JSON.stringify(file)}
    enableCompileCache()
    console.log(process.env.NODE_COMPILE_CACHE ?? 'none')`
  const { NODE_COMPILE_CACHE: _cache, NODE_OPTIONS: _options, ...rest } = process.env
  return execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...rest, ...env },
    encoding: 'utf8',
  }).trim()
}

/**
 * The launcher in a folder of its own, with a stand-in for the project's Node if there are lines
 * for it.
 */
function copyOfLauncher(t: Test, runtime?: readonly string[]): string {
  const folder = temporaryFolder(t)
  const program = path.join(folder, 'src', 'cli', 'banyan.js')
  fs.mkdirSync(path.dirname(program), { recursive: true })
  fs.copyFileSync(launcher, program)
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
  if (runtime !== undefined) {
    const file = path.join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(path.join(folder, 'node_modules', 'package.json'), '{ "type": "commonjs" }')
    fs.writeFileSync(file, [`#!${process.execPath}`, ...runtime].join('\n'), { mode: 0o755 })
  }
  return program
}

/** Outside the repository: the launcher looks for node_modules all the way up. */
function temporaryFolder(t: Test): string {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'banyan-launcher-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true }))
  return folder
}

function findOldNode(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/local/bin', '/usr/bin']
  return folders
    .map((folder) => path.join(folder, 'node'))
    .filter((file) => fs.existsSync(file))
    .find((file) => Number.parseInt(execFileSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' }), 10) < 26)
}
