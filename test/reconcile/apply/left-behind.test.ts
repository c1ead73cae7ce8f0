import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { leftBehindEnd, notingExec } from '../../../src/reconcile/apply/left-behind.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { systemExec } from '../../../src/world/exec.ts'
import type { Clock } from '../../../src/world/world.ts'
import { until } from '../apply-world.ts'

// Timers of the clock do not keep a process alive: a daemon has its server for that.
const alive = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(alive))

const sleeps = { program: 'sh', args: ['-c', 'echo started; sleep 60'], timeoutMs: 60_000 }

t.test('what a killed apply had started is waited for', async (t) => {
  const file = path.join(t.testdir({}), 'programs')
  await leftBehindEnd(systemClock, file)
  const pid = Promise.withResolvers<number>()
  const run = notingExec(systemExec, file).run({ ...sleeps, onStart: pid.resolve })
  await pid.promise
  const order: string[] = []
  const looked = clockThat(() => order.push('looked again'))
  const ended = leftBehindEnd(looked.clock, file).then(() => order.push('ended'))
  await looked.twice
  process.kill(-(await pid.promise), 'SIGKILL')
  await Promise.all([run, ended])
  t.equal(order.at(-1), 'ended')
  t.ok(order.length > 2)
})

t.test('one that hangs is ended in the end', async (t) => {
  const file = path.join(t.testdir({}), 'programs')
  const begun = Promise.withResolvers<number>()
  const run = notingExec(systemExec, file).run({ ...sleeps, onStart: begun.resolve })
  await begun.promise
  const late = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * limits.leftBehindMs }
  await leftBehindEnd(late, file)
  t.match(await run, { signal: /SIGTERM|SIGKILL/, timedOut: false })
})

t.test('another process that got the same number is not waited for', async (t) => {
  const file = path.join(t.testdir({}), 'programs')
  const boot = (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  await fs.writeFile(file, `${process.pid} 1 ${boot}\n`)
  await leftBehindEnd(systemClock, file)
})

t.test(
  'after the machine was started anew nothing of before is waited for, whatever has its number and its ticks',
  async (t) => {
    const file = path.join(t.testdir({}), 'programs')
    const begun = Promise.withResolvers<number>()
    const run = notingExec(systemExec, file).run({ ...sleeps, onStart: begun.resolve })
    const pid = await begun.promise
    const [number, ticks, boot] = (await fs.readFile(file, 'utf8')).trim().split(' ')
    t.equal(number, String(pid))
    t.match(boot, /^[0-9a-f-]{36}$/)
    await fs.writeFile(file, `${number} ${ticks} ${'0'.repeat(8)}${boot?.slice(8)}\n`)
    await leftBehindEnd(systemClock, file)
    process.kill(-pid, 'SIGKILL')
    t.match(await run, { signal: 'SIGKILL' }, 'it went on')
  },
)

t.test('a disk that takes no note does not keep a program from running', async (t) => {
  const said = t.capture(process.stderr, 'write', () => true)
  const run = await notingExec(systemExec, path.join(t.testdir({}), 'gone', 'programs')).run({
    ...sleeps,
    args: ['-c', 'echo ok'],
  })
  t.match(run, { code: 0, stdout: 'ok\n' })
  // A program that has ended already needs no note.
  const others = said().filter(({ args }) => !/^process \d+ is not noted: ENOENT/.test(String(args[0])))
  t.same(others, [], 'no other complaint')
})

t.test('killed between the start of a program and the note of it, the program never runs', async (t) => {
  const folder = t.testdir({})
  const [file, marker] = [path.join(folder, 'programs'), path.join(folder, 'ran')]
  // Nobody reads the pipe: whoever notes something there waits for ever.
  execFileSync('mkfifo', [file])
  const starter = spawn(process.execPath, [path.join(import.meta.dirname, 'noting-run.ts')], {
    env: { ...process.env, FILE: file, MARKER: marker },
    stdio: 'ignore',
  })
  await until(async () => (await processesAbout(marker)) > 0)
  starter.kill('SIGKILL')
  await until(async () => (await processesAbout(marker)) === 0)
  await t.rejects(fs.access(marker), { code: 'ENOENT' })
})

/** How many processes have the word among their arguments. */
async function processesAbout(word: string): Promise<number> {
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(word)).length
}

/** The clock, and when it was asked for its second wait. */
function clockThat(onWait: () => void): { clock: Clock; twice: Promise<void> } {
  const twice = Promise.withResolvers<void>()
  let waits = 0
  const after: Clock['after'] = (ms, work) => {
    onWait()
    waits += 1
    if (waits === 2) twice.resolve()
    return systemClock.after(ms, work)
  }
  return { clock: { ...systemClock, after }, twice: twice.promise }
}
