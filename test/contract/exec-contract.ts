// What holds for programs, real and simulated.

import type { Test } from 'tap'
import type { Disk, Exec, Run } from '../../src/world/world.ts'
import { failureCodeOf, type Passage } from './contract.ts'

export interface ExecWorld {
  exec: Exec
  passage: Passage
  disk: Disk
  folder: string
  /** Prints `out` and `ü`, to its standard error `err`, and ends with 3. */
  talks: Pick<Run, 'program' | 'args'>
  /** Prints its first argument, then the value of BANYAN_TEST, and ends with 0. */
  echoes: string
  /** Prints `started` and does not end before it is told to. */
  hangs: Pick<Run, 'program' | 'args'>
  /** Prints the numbers from 1 to 10000. */
  counts: Pick<Run, 'program' | 'args'>
}

export function execContract(t: Test, open: (t: Test) => Promise<ExecWorld>): void {
  check(t, 'a program’s exit code and output come back', async (t, { exec, passage, talks }) => {
    const lines: string[] = []
    const run = exec.run({ ...talks, timeoutMs: 10_000, onLine: (stream, line) => lines.push(`${stream} ${line}`) })
    t.same(await passage.until(run), {
      code: 3,
      signal: null,
      timedOut: false,
      stdout: 'out\nü\n',
      stderr: 'err\n',
    })
    t.same(lines.sort(), ['stderr err', 'stdout out', 'stdout ü'])
  })

  check(t, 'what a program prints comes back also when it may outlive who started it', async (t, world) => {
    const lines: string[] = []
    const { exec, passage, talks, counts } = world
    const onLine: Run['onLine'] = (stream, line) => lines.push(`${stream} ${line}`)
    const run = exec.run({ ...talks, timeoutMs: 10_000, outlives: true, onLine })
    t.match(await passage.until(run), { code: 3, stdout: 'out\nü\n', stderr: 'err\n' })
    t.same(lines.sort(), ['stderr err', 'stdout out', 'stdout ü'])
    const long = exec.run({ ...counts, timeoutMs: 10_000, outlives: true, outputMaxBytes: 11 })
    t.equal((await passage.until(long)).stdout, '9999\n10000\n')
  })

  check(t, 'a program gets its arguments and its part of the environment', async (t, { exec, passage, echoes }) => {
    const args = ['two words; $HOME `x` "']
    const run = exec.run({ program: echoes, args, env: { BANYAN_TEST: 'yes' }, timeoutMs: 10_000 })
    t.equal((await passage.until(run)).stdout, `${args[0]}\nyes\n`)
  })

  check(t, 'the process of a program is told before the program is', async (t, { exec, passage, talks }) => {
    const told: unknown[] = []
    const run = exec.run({
      ...talks,
      timeoutMs: 10_000,
      onStart: (pid) => told.push(pid),
      onLine: (_, line) => told.push(line),
    })
    await passage.until(run)
    t.match(told, [Number, String])
  })

  check(t, 'a program that takes too long is ended', async (t, { exec, passage, hangs }) => {
    const result = await passage.until(exec.run({ ...hangs, timeoutMs: 300 }))
    t.same(result, { code: null, signal: 'SIGTERM', timedOut: true, stdout: 'started\n', stderr: '' })
  })

  check(t, 'a program can be stopped', async (t, { exec, passage, hangs }) => {
    const stop = new AbortController()
    const run = exec.run({ ...hangs, timeoutMs: 60_000, signal: stop.signal, onLine: () => stop.abort() })
    t.equal(await failureCodeOf(passage.until(run)), 'stopped')
    t.equal(await failureCodeOf(exec.run({ ...hangs, timeoutMs: 1, signal: stop.signal })), 'stopped')
  })

  check(t, 'of long output the last bytes are kept, and all lines are told', async (t, { exec, passage, counts }) => {
    let lines = 0
    const run = exec.run({
      ...counts,
      timeoutMs: 10_000,
      outputMaxBytes: 11,
      onLine: () => {
        lines += 1
      },
    })
    t.equal((await passage.until(run)).stdout, '9999\n10000\n')
    t.equal(lines, 10_000)
  })

  check(t, 'a program that is not there is not found', async (t, { exec }) => {
    t.equal(await failureCodeOf(exec.run({ program: 'no-such-program', args: [], timeoutMs: 1000 })), 'not-found')
    const outputFile = '/tmp/banyan-no-output'
    t.equal(await failureCodeOf(exec.detach({ program: 'no-such-program', args: [], outputFile })), 'not-found')
    t.equal(await exec.which('no-such-program'), undefined)
  })

  check(t, 'a program is found on the path', async (t, { exec, talks }) => {
    t.match(await exec.which(talks.program), new RegExp(`^/.*/${talks.program}$`))
  })

  check(t, 'the output of a detached program is appended to its file', async (t, world) => {
    const { exec, passage, disk, folder, talks } = world
    const outputFile = `${folder}/output.log`
    await disk.write(outputFile, 'before\n')
    const { pid } = await exec.detach({ ...talks, outputFile })
    t.ok(pid > 0)
    let text = ''
    for (let attempt = 0; attempt < 100 && text.split('\n').length < 5; attempt += 1) {
      await passage.pass(20)
      text = Buffer.from(await disk.read(outputFile)).toString()
    }
    t.same(text.split('\n').sort(), ['', 'before', 'err', 'out', 'ü'])
  })

  function check(t: Test, promise: string, body: (t: Test, world: ExecWorld) => Promise<void>): void {
    t.test(promise, async (t) => body(t, await open(t)))
  }
}
