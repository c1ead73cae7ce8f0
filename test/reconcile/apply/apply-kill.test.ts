import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { startApply } from '../../../src/reconcile/apply/apply.ts'
import { isApplying } from '../../../src/reconcile/apply/apply-lock.ts'
import { isLarge } from '../../large.ts'
import { applyWorld, begun, until } from '../apply-world.ts'

// The apply process is real, and other tests run beside these.
t.setTimeout(1_200_000)

t.test('whenever the apply is killed, a tree is the old or the new one, and converges', async (t) => {
  const world = await applyWorld(t)
  const files = (version: string) =>
    Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`d${n % 5}/f${n}`, `${version} ${'x'.repeat(n * 100)}`]))
  const versions = await Promise.all(
    ['1', '2'].map((version) =>
      world.tree({ name: 'shop', version, files: files(version), scripts: { postInstall: 'true' } }),
    ),
  )
  const whole = async () => {
    const current = path.join(world.targetRoot, 'opt/shop/current')
    const version = (await fs.readFile(path.join(current, 'VERSION'), 'utf8')).trim()
    for (const [file, content] of Object.entries(files(version))) {
      if ((await fs.readFile(path.join(current, file), 'utf8')) !== content) return `torn ${version}: ${file}`
    }
    return version
  }
  await world.release({ shop: versions[0] as never })
  await world.converge()
  await world.release({ shop: versions[1] as never })
  await world.converge()
  const [last] = (await fs.readdir(path.join(world.home, 'apply'))).sort().reverse()
  const journal = (await fs.readFile(path.join(world.home, 'apply', String(last), 'journal.ndjson'), 'utf8'))
    .trim()
    .split('\n')
  const at = (step: RegExp) => (JSON.parse(journal.find((line) => step.test(line)) ?? '{}') as { at: number }).at
  const usualMs = at(/ended/) - at(/unpacking/)

  const seed = Date.now() % 1_000_000
  t.comment(`seed ${seed}, it takes ${usualMs} ms from unpacking on`)
  const counts = { old: 0, new: 0 }
  for (let n = 0; n < (isLarge ? 12 : 4); n += 1) {
    const target = versions[n % 2]
    const other = String(2 - (n % 2))
    if (target === undefined) return
    await world.release({ shop: target })
    const { plan } = await world.look()
    const { txid, pid } = await startApply(world.parts, plan)
    await begun(world, txid, /unpacking/)
    const delayMs = (((seed * (n + 1) * 7919) % 1000) / 1000) * usualMs * 1.2
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It was quicker.
    }
    await until(async () => !(await isApplying(world.home)))
    const seen = await whole()
    t.ok(seen === target.manifest.version || seen === other, `killed after ${Math.round(delayMs)} ms: ${seen}`)
    counts[seen === target.manifest.version ? 'new' : 'old'] += 1
    await world.restart()
    if ((await world.look()).differences.length > 0) await world.converge()
    t.same((await world.lookFully()).differences, [])
    t.equal(await whole(), target.manifest.version)
    t.match(world.records, [{ name: 'shop', version: target.manifest.version, state: 'installed' }])
  }
  t.comment(JSON.stringify(counts))
  const left = await fs.readdir(path.join(world.home, 'apply'), { recursive: true })
  t.same(
    left.filter((file) => /payloads/.test(file)),
    [],
    'no copies of payloads are left',
  )
})
