// Runs the tests: `node test/run.js` all that take minutes, `node test/run.js packages` the rest of
// those with real package managers, `node test/run.js e2e` the end-to-end tests, `node test/run.js
// FILE...` these files. `--reporter=tap` prints TAP; `--jobs=N` is the number of
// processes at a time; `--timeout=S` the limit of a file in seconds. Plain JavaScript, so that a
// Node that is too old gets one clear line.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..')
const worker = path.join(root, 'test', 'several-files.js')

/**
 * Files that take long: each has a process of its own, and the longest is begun first, so that no
 * core idles at the end.
 */
const longest = [
  'test/swarm/real-engine.test.ts',
  'test/reconcile/deb-provider.test.ts',
  'test/reconcile/rpm.test.ts',
  'test/reconcile/rpm-provider.test.ts',
  'test/reconcile/apply/apply.test.ts',
  'test/reconcile/deb.test.ts',
  'test/scenario/rollout.test.ts',
  'test/swarm/transfer.test.ts',
  'test/scenario/islands.test.ts',
  'test/swarm/trouble.test.ts',
  'test/cli/commands.test.ts',
  'test/scenario/gateways.test.ts',
  'test/swarm/sleep.test.ts',
  'test/swarm/resume.test.ts',
  'test/cli/usage.test.ts',
  'test/repository/publish-deb.test.ts',
  'test/swarm/outsider.test.ts',
  'test/scenario/release.test.ts',
  'test/repository/publish-crash.test.ts',
  'test/world/store-damage.test.ts',
  'test/scenario/windows.test.ts',
  'test/reconcile/apply/apply-kill.test.ts',
  'test/swarm/poison.test.ts',
  'test/swarm/plain.test.ts',
  'test/scenario/crashes.test.ts',
  'test/repository/publish-rpm.test.ts',
  'test/reconcile/tree.test.ts',
  'test/swarm/abuse.test.ts',
  'test/swarm/same-payload.test.ts',
]
/**
 * Whoever loads these drives real package managers: half of the time of all tests. `packages` runs
 * them, but for one file of each package manager, which belongs to every run.
 */
const packageManagers = ['deb-world.ts', 'rpm-machine.ts'].map((file) => path.join('test', 'reconcile', file))
const alsoPackages = [path.join('test', 'reconcile', 'deb-provider.test.ts')]
const inEveryRun = ['deb.test.ts', 'rpm.test.ts'].map((file) => path.join('test', 'reconcile', file))
/**
 * Simulated time watches all that happens in its process: its tests share none with tests of real
 * disks and sockets.
 */
const timeline = path.join('test', 'world', 'timeline.ts')
/**
 * All others share processes: so many files go into one. Neighbours go together, as they load the
 * same modules.
 */
const filesPerProcess = 16
/**
 * How long a process may go on after its last test. It has to end by itself: a test that leaves a
 * timer or a socket fails.
 */
const endingMs = 60_000

if (Number.parseInt(process.versions.node, 10) < 26) {
  process.stderr.write(
    `error: the tests need Node 26, this is ${process.versions.node}\n` +
      "hint: npm ci, then npm test: npm puts the project's own Node first on PATH\n",
  )
  process.exit(1)
}

const { files, reporter, jobs, timeoutS, group } = parsed(process.argv.slice(2))
const print = reporter === 'tap' ? tapReporter() : await listReporter()
const waiting = group === 'e2e' ? files.map((file) => [file]) : processesFor(files)
await Promise.all(Array.from({ length: jobs }, runWaiting))
print.end()

/** @returns {string[][]} the files of each process, in the order in which the processes begin */
function processesFor(files) {
  const isScenario = (file) => file.startsWith(path.join('test', 'scenario'))
  const known = longest.filter((file) => files.includes(file))
  const rest = files.filter((file) => !longest.includes(file))
  const others = rest.filter((file) => !isScenario(file))
  const kinds = [others.filter((file) => loads(file, timeline)), others.filter((file) => !loads(file, timeline))]
  const alone = (file) => [file]
  // The short ones end a run: none of them keeps the other cores waiting for long.
  return [...known.map(alone), ...kinds.flatMap(together), ...rest.filter(isScenario).map(alone)]
}

function together(files) {
  if (files.length === 0) return []
  return [files.slice(0, filesPerProcess), ...together(files.slice(filesPerProcess))]
}

/** Whether a file imports another one, directly or through others. Types are no imports. */
function loads(file, wanted, seen = new Set()) {
  if (file === wanted) return true
  if (seen.has(file) || !/\.[jt]s$/.test(file)) return false
  seen.add(file)
  const text = fs.readFileSync(path.join(root, file), 'utf8')
  const imports = text.matchAll(/^(?:import(?! type\b)|\} from)[^'"\n]*['"](\.[^'"\n]+)['"]/gm)
  return [...imports].some(([, specifier]) => loads(path.join(path.dirname(file), specifier ?? ''), wanted, seen))
}

async function runWaiting() {
  for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
    const left = await runTogether(group)
    if (left.length > 0) waiting.unshift(left)
  }
}

/**
 * Runs the files in one process. Returns the files whose turn did not come because an earlier file
 * ended the process.
 */
async function runTogether(group) {
  const [first, ...more] = group
  const isAlone = more.length === 0
  const begunMs = performance.now()
  const child = spawn(process.execPath, [isAlone ? path.join(root, first) : worker], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'banyan'),
      ...(isAlone ? {} : { BANYAN_TEST_FILES: JSON.stringify(group) }),
      TAP_TIMEOUT: String(timeoutS),
    },
  })
  const exit = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  let killed
  let alarm
  const limit = (ms, why) => {
    clearTimeout(alarm)
    alarm = setTimeout(() => {
      killed = why
      child.kill('SIGKILL')
    }, ms)
  }
  // tap ends a file at its limit and names the tests that were running. This alarm is for a file
  // that does not let it.
  const limitFile = () => limit(timeoutS * 1000 + endingMs, `no end after ${timeoutS} s`)

  const left = [...group]
  let areAllWell = true
  let block = []
  const isOver = () => block.some((line) => /^(not )?ok /.test(line))
  const conclude = () => {
    const file = left.shift()
    areAllWell &&= block.some((line) => line.startsWith('ok '))
    print.file(file, block)
    block = []
  }
  limitFile()
  if (isAlone) block.push(`# Subtest: ${first}`)
  for await (const line of createInterface({ input: child.stdout })) {
    if (isAlone) {
      if (!line.startsWith('TAP version')) block.push(`    ${line}`)
      continue
    }
    if (line.startsWith('1..')) limit(endingMs, `did not end by itself within ${endingMs / 1000} s`)
    else if (line.startsWith('# Subtest: ')) {
      if (isOver()) conclude()
      limitFile()
    }
    if (!/^(TAP version|1\.\.|# (?!Subtest)|$)/.test(line)) block.push(line)
  }
  const end = killed ?? (await exit)
  clearTimeout(alarm)
  if (isAlone && end === 'exit code 0') {
    block.push(`ok 1 - ${first} # time=${(performance.now() - begunMs).toFixed(3)}ms`)
  }
  if (isOver()) conclude()
  else if (left.length > 0) {
    block.push(...notOk(left[0] ?? '', end))
    conclude()
  }
  if (left.length === 0 && areAllWell && end !== 'exit code 0') {
    const name = `the process of ${group.join(', ')}`
    print.file(name, [`# Subtest: ${name}`, ...notOk(name, end)])
  }
  return left
}

function notOk(name, message) {
  return [`not ok 1 - ${name}`, '  ---', `  message: ${JSON.stringify(message)}`, '  ...']
}

/** Everything in TAP: the files are the tests of one run, numbered as they end. */
function tapReporter() {
  let files = 0
  process.stdout.write('TAP version 14\n')
  return {
    file(_file, lines) {
      files += 1
      const numbered = lines.map((line) => line.replace(/^((?:not )?ok) \d+/, `$1 ${files}`))
      process.stdout.write(`${numbered.join('\n')}\n\n`)
      if (numbered.some((line) => line.startsWith('not ok'))) process.exitCode = 1
    },
    end: () => process.stdout.write(`1..${files}\n`),
  }
}

/** A line for each file, and what went wrong in it. The last line is `N passed, N failed`. */
async function listReporter() {
  const { outcomesOf } = await import('../.ci/outcomes.js')
  const [skipsFail, total] = [process.env.CI !== undefined && process.env.CI !== 'false', { passed: 0, failed: 0 }]
  return {
    file(file, lines) {
      const outcomes = outcomesOf(`TAP version 14\n${lines.join('\n')}\n1..1\n`, { skipsFail })
      const failed = outcomes.filter(({ problems }) => problems.length > 0)
      const skipped = outcomes.flatMap((outcome) => outcome.skipped)
      total.failed += failed.length
      total.passed += outcomes.length - failed.length
      const timeMs = Number(lines.map((line) => /^(?:not )?ok .* # time=([\d.]+)ms/.exec(line)?.[1]).find(Boolean) ?? 0)
      const counts = `${String(outcomes.length).padStart(4)} tests ${(timeMs / 1000).toFixed(1).padStart(6)} s`
      process.stdout.write(`${failed.length === 0 ? 'ok    ' : 'FAILED'} ${counts}  ${file}\n`)
      for (const test of skipped) process.stdout.write(`  skipped: ${test}\n`)
      for (const problem of failed.flatMap(({ problems }) => problems)) process.stdout.write(`  FAILED: ${problem}\n`)
    },
    end() {
      process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
      process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1
    },
  }
}

function parsed(args) {
  const [first = ''] = args
  const group = first === 'e2e' || first === 'packages' ? first : 'usual'
  // A test often waits for a disk or a process; end-to-end tests are whole trees.
  const options = { reporter: 'list', jobs: group === 'e2e' ? '1' : '3', timeout: '1200' }
  const named = []
  for (const argument of group === 'usual' ? args : args.slice(1)) {
    const [, option, value] = /^--(reporter|jobs|timeout)=(\w+)$/.exec(argument) ?? []
    if (option !== undefined) options[option] = value
    else if (argument.startsWith('-')) {
      process.stderr.write(
        `error: no option ${argument}\nhint: --reporter=tap, --jobs=N, --timeout=SECONDS, or test files\n`,
      )
      process.exit(1)
    } else named.push(path.relative(root, path.resolve(argument)))
  }
  return {
    files: named.length > 0 ? named : allTests().filter((file) => groupOf(file) === group),
    group,
    reporter: options.reporter,
    jobs: Number(options.jobs),
    timeoutS: Number(options.timeout),
  }
}

function groupOf(file) {
  if (file.startsWith(path.join('test', 'e2e'))) return 'e2e'
  if (inEveryRun.includes(file)) return 'usual'
  const isOfPackages = alsoPackages.includes(file) || packageManagers.some((each) => loads(file, each))
  return isOfPackages ? 'packages' : 'usual'
}

function allTests() {
  return fs
    .readdirSync(path.join(root, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => path.join('test', name))
}
