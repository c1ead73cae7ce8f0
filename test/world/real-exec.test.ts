import t from 'tap'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import type { Run } from '../../src/world/world.ts'
import { failureCodeOf, realPassage } from '../contract/contract.ts'
import { execContract } from '../contract/exec-contract.ts'

const shell = (script: string) => ({ program: 'sh', args: ['-c', script] })

// A program that waits for its start keeps all promises of one that does not.
for (const exec of [systemExec, { ...systemExec, run: (run: Run) => systemExec.run({ ...run, gated: true }) }]) {
  execContract(t, async (t) => {
    const folder = t.testdir({ echoes: '#!/bin/sh\necho "$1"\necho "$BANYAN_TEST"\n' })
    await systemExec.run({ program: 'chmod', args: ['+x', `${folder}/echoes`], timeoutMs: 5000 })
    return {
      exec,
      passage: realPassage,
      disk: systemDisk,
      folder,
      talks: shell('echo out; echo ü; echo err >&2; exit 3'),
      echoes: `${folder}/echoes`,
      hangs: shell('echo started; sleep 60 & wait'),
      counts: shell('seq 10000'),
    }
  })
}

t.test('a program that waits for its start: what cannot be run fails as without, and fd 3 is not open', async (t) => {
  const folder = t.testdir({ bare: 'echo hello\n', lost: '#!/no/such/interpreter\n' })
  for (const name of ['bare', 'lost']) {
    await systemExec.run({ program: 'chmod', args: ['+x', `${folder}/${name}`], timeoutMs: 5000 })
    const run = { program: `${folder}/${name}`, args: [], timeoutMs: 5000 }
    const plain = await failureCodeOf(systemExec.run(run))
    t.equal(await failureCodeOf(systemExec.run({ ...run, gated: true })), plain)
    t.not(plain, undefined)
  }
  t.match(await systemExec.run({ ...shell('test -e /proc/$$/fd/3'), timeoutMs: 5000, gated: true }), { code: 1 })
})

t.test('the time limit ends the whole process group, also those who do not listen', async (t) => {
  const folder = t.testdir({})
  const script = `(trap '' TERM; echo $$ > ${folder}/pid; while :; do sleep 0.1; done) & wait`
  const result = await systemExec.run({ ...shell(script), timeoutMs: 300 })
  t.equal(result.timedOut, true)
  const pid = Buffer.from(await systemDisk.read(`${folder}/pid`))
    .toString()
    .trim()
  const { stdout } = await systemExec.run({ ...shell(`ps -o stat= -g ${pid} | grep -cv Z`), timeoutMs: 5000 })
  t.equal(stdout.trim(), '0')
})

t.test('a service that a program starts and leaves behind is not waited for', async (t) => {
  const script = 'setsid sleep 300 & echo $!'
  const { code, stdout, timedOut } = await systemExec.run({ ...shell(script), timeoutMs: 60_000 })
  t.match({ code, timedOut }, { code: 0, timedOut: false })
  t.ok(process.kill(Number(stdout), 'SIGKILL'), 'the service was still there')
})

t.test('programs do not see the environment of the daemon, nor its standard input', async (t) => {
  process.env['BANYAN_SECRET'] = 'secret'
  const result = await systemExec.run({ ...shell('echo "$BANYAN_SECRET|$LANG"; cat'), timeoutMs: 5000 })
  t.match(result, { code: 0, stdout: '|C.UTF-8\n' })
  delete process.env['BANYAN_SECRET']
})

t.test('a line without end does not grow without end', async (t) => {
  const longest = { chars: 0 }
  const result = await systemExec.run({
    ...shell('head -c 3000000 /dev/zero | tr "\\0" x'),
    timeoutMs: 10_000,
    outputMaxBytes: 1000,
    onLine: (_, line) => {
      longest.chars = Math.max(longest.chars, line.length)
    },
  })
  t.equal(result.stdout, 'x'.repeat(1000))
  t.ok(longest.chars < 200_000, `${longest.chars} characters in one line`)
})

t.test('a file that is no program cannot be started', async (t) => {
  const folder = t.testdir({ text: 'no program' })
  t.equal(
    await failureCodeOf(systemExec.run({ program: `${folder}/text`, args: [], timeoutMs: 1000 })),
    'program-failed',
  )
  t.equal(
    await failureCodeOf(systemExec.run({ ...shell('true'), cwd: `${folder}/none`, timeoutMs: 1000 })),
    'not-found',
  )
})
