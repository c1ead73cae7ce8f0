import { type ChildProcess, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { findApplies } from '../../../src/reconcile/apply/apply.ts'
import { applyEnd, isApplying, takeApplyLock } from '../../../src/reconcile/apply/apply-lock.ts'
import { systemDisk } from '../../../src/world/disk.ts'
import { isLarge } from '../../large.ts'
import { until } from '../apply-world.ts'

t.setTimeout(1_200_000)

t.test('one holds it until its process ends, whoever waits is told, and then the next may', async (t) => {
  const home = t.testdir({})
  t.equal(await isApplying(home), false)
  const first = await holder(t, home, 'first')
  t.equal(first.said, 'true')
  t.equal(await isApplying(home, 'first'), true)
  t.equal(await isApplying(home, 'second'), false)
  t.equal(await takeApplyLock(home, 'second'), false)
  const ended = applyEnd(home, 'first')
  first.child.kill('SIGKILL')
  await ended
  t.equal(await isApplying(home), false)
  t.equal(await takeApplyLock(home, 'third'), true)
  t.match(await fs.readdir(path.join(home, 'run/apply')), [/^third\./], 'what the killed one left is gone')
})

t.test('a name that anybody on the machine can take keeps nobody from applying and makes nobody wait', async (t) => {
  const home = t.testdir({})
  const silent = createServer(() => {})
  await new Promise<void>((listening) => silent.listen(`\0banyan-apply-${digestOf(home)}`, listening))
  t.teardown(() => silent.close())
  t.same(await findApplies({ home, disk: systemDisk }), [])
  t.equal(await takeApplyLock(home, 'mine'), true)
  t.equal((await fs.stat(path.join(home, 'run/apply'))).mode & 0o777, 0o700)
})

t.test('a holder that is stopped still holds it, and nobody who asks hangs', async (t) => {
  const home = t.testdir({})
  const { child } = await holder(t, home, 'slow')
  child.kill('SIGSTOP')
  t.equal(await isApplying(home, 'slow'), true)
  t.equal(await takeApplyLock(home, 'other'), false)
})

t.test('a home as deep as paths go is fine', async (t) => {
  const home = path.join(t.testdir({}), 'x'.repeat(200), 'y'.repeat(200))
  t.equal(await takeApplyLock(home, 'deep'), true)
  t.equal(await isApplying(home, 'deep'), true)
  t.equal(await takeApplyLock(home, 'other'), false)
})

t.test('killed at whatever moment, many that try at once never hold it together, and the next one can', async (t) => {
  const home = t.testdir({})
  const seed = Date.now() % 1_000_000
  t.comment(`seed ${seed}`)
  for (let round = 0; round < (isLarge ? 8 : 3); round += 1) {
    const all = Array.from({ length: 4 }, (_, n) => start(t, home, `r${round}-${n}`))
    await Promise.race(all.map(({ said }) => said))
    // Some are killed while they begin, or while they look for each other.
    for (const [n, { child }] of all.entries()) {
      if ((seed + round * 7919 + n * 104_729) % 3 === 0) setTimeout(() => child.kill('SIGKILL'), (seed + n * 31) % 40)
    }
    const said = await Promise.all(all.map((one) => one.said))
    const holding = all.filter((one, n) => said[n] === 'true' && one.child.exitCode === null && !one.child.killed)
    t.ok(holding.length <= 1, `${holding.length} hold it`)
    for (const { child } of all) child.kill('SIGKILL')
    await until(async () => !(await isApplying(home)))
    const next = await holder(t, home, `r${round}-next`)
    t.equal(next.said, 'true', 'and then it is free')
    next.child.kill('SIGKILL')
    await until(async () => !(await isApplying(home)))
  }
  t.ok((await fs.readdir(path.join(home, 'run/apply'))).length < 5, 'what is left does not grow')
})

t.test('tries at once in great numbers: never two', async (t) => {
  const home = t.testdir({})
  const took = await Promise.all(Array.from({ length: 40 }, (_, n) => takeApplyLock(home, `t${n}`)))
  t.ok(took.filter((one) => one).length <= 1)
})

const program = `
  const { takeApplyLock } = await import(process.argv[1])
  console.log(await takeApplyLock(process.argv[2], process.argv[3]))
  setInterval(() => {}, 1000)
`

/** What it says is empty if it is killed before. */
function start(t: Test, home: string, txid: string): { child: ChildProcess; said: Promise<string> } {
  const lock = path.join(import.meta.dirname, '../../../src/reconcile/apply/apply-lock.ts')
  const args = ['--input-type=module', '-e', program, lock, home, txid]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const said = Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => [''])])
  return { child, said: said.then(([text]) => String(text).trim()) }
}

async function holder(t: Test, home: string, txid: string): Promise<{ child: ChildProcess; said: string }> {
  const { child, said } = start(t, home, txid)
  return { child, said: await said }
}

function digestOf(home: string): string {
  return hash('sha256', path.resolve(home), 'hex').slice(0, 32)
}
