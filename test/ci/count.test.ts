// The counts that the CI ends with, from TAP as tap writes it.

import { spawnSync } from 'node:child_process'
import path from 'node:path'
import t, { type Test } from 'tap'

const program = path.join(import.meta.dirname, '..', '..', '.ci', 'count.js')

const good = ['# Subtest: a.test.ts', '    ok 1 - it works', '    1..1', 'ok 1 - a.test.ts']
const skipped = ['# Subtest: b.test.ts', '    ok 1 - needs rpm # SKIP no rpm', '    1..1', 'ok 2 - b.test.ts']
const broken = [
  '# Subtest: c.test.ts',
  '    # Subtest: it breaks',
  '        ok 1 - first',
  '        not ok 2 - second',
  '        1..2',
  '    not ok 1 - it breaks',
  '    ok 2 - it works',
  '    1..2',
  'not ok 2 - c.test.ts',
]
const dead = ['# Subtest: d.test.ts', '    ok 1 - it works', '    1..1', 'not ok 2 - d.test.ts']

t.test('checks and tests are added up', async (t) => {
  count(t, { checks: ['types=0', 'style=0'], tap: [...good, '1..1'], code: 0 }, '3 passed, 0 failed', 0)
})

t.test('a check that failed counts', async (t) => {
  count(t, { checks: ['types=1'], tap: [...good, '1..1'], code: 0 }, '1 passed, 1 failed', 1)
})

t.test('a test counts once, however many of its assertions fail', async (t) => {
  const { stdout } = count(t, { tap: [...good, ...broken, '1..2'], code: 1 }, '2 passed, 1 failed', 1)
  t.match(stdout, /^FAILED: .*c\.test\.ts > it breaks > second/m)
})

t.test('a skipped test fails in the CI and nowhere else', async (t) => {
  const run = { tap: [...good, ...skipped, '1..2'], code: 0 }
  count(t, { ...run, CI: 'true' }, '1 passed, 1 failed', 1)
  count(t, { ...run, CI: 'false' }, '2 passed, 0 failed', 0)
})

t.test('a file that dies after its last test counts as a failure', async (t) => {
  count(t, { tap: [...good, ...dead, '1..2'], code: 1 }, '2 passed, 1 failed', 1)
})

t.test('a run that was cut off, or ran nothing, is a failure', async (t) => {
  count(t, { tap: good, code: 1 }, '1 passed, 1 failed', 1)
  count(t, { tap: [], code: 1 }, '0 passed, 1 failed', 1)
  count(t, { tap: ['1..0'], code: 0 }, '0 passed, 0 failed', 1)
})

function count(
  t: Test,
  { checks = [], tap, code, CI = 'true' }: { checks?: string[]; tap: string[]; code: number; CI?: string },
  lastLine: string,
  exitCode: number,
) {
  const folder = t.testdir({ 'run.tap': ['TAP version 14', ...tap, ''].join('\n') })
  const ended = spawnSync(process.execPath, [program, ...checks, `tests=${code}=${path.join(folder, 'run.tap')}`], {
    env: { ...process.env, CI },
    encoding: 'utf8',
  })
  t.equal(ended.stdout.trimEnd().split('\n').at(-1), lastLine)
  t.equal(ended.status, exitCode, ended.stderr)
  return ended
}
