// The lab of bench/: banyan and one of its peers bring a small payload through the same shaped
// link. What is promised is that it measures, not how fast anything is.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { systemExec } from '../../src/world/exec.ts'

interface Measured {
  system: string
  bytes: number
  seconds: number
  idealSeconds: number
  links: { bytes: number; withHeaders: number }[]
  details: { converged?: number }
}

const lab = path.join(import.meta.dirname, '../../bench/lab.ts')
const systems = ['one HTTP transfer', 'banyan', 'nginx caching proxy']

t.setTimeout(200_000)

t.test('the lab measures banyan and a caching proxy over one link', { ...skipOf(), timeout: 180_000 }, async (t) => {
  const args = [lab, '--only', 'smoke', '--runs', '1', '--json']
  const { code, stdout, stderr } = await systemExec.run({ program: process.execPath, args, timeoutMs: 170_000 })
  t.equal(code, 0, stderr)
  const measured = JSON.parse(stdout) as Measured[]
  t.same(
    measured.map(({ system }) => system),
    systems,
  )
  for (const { system, bytes, seconds, idealSeconds, links } of measured) {
    t.ok(bytes >= 4 * 1024 * 1024, `${system}: the payload`)
    t.ok(seconds > 0 && Number.isFinite(seconds), `${system}: a time`)
    // The shaping itself: its burst is all that may come faster.
    t.ok(seconds > 0.9 * idealSeconds, `${system}: no faster than the link, ${seconds} s`)
    t.equal(links.length, 1, `${system}: one link`)
    for (const link of links) {
      t.ok(link.bytes >= bytes, `${system}: the payload went over the link, which counted ${link.bytes}`)
      t.ok(link.withHeaders > link.bytes, `${system}: and headers, ${link.withHeaders} in all`)
    }
  }
  t.equal(measured.find(({ system }) => system === 'banyan')?.details.converged, 3, 'all nodes have converged')
  t.same(leftOver(), [], 'no network namespace is left')
})

t.test('the lab says what it can measure when it is asked for something else', async (t) => {
  const args = [lab, '--only', 'nothing-like-that']
  const { code, stderr } = await systemExec.run({ program: process.execPath, args, timeoutMs: 20_000 })
  t.equal(code, 2)
  t.match(stderr, /^error: nothing to measure; scenarios: site, .*; systems: one HTTP transfer, banyan/)
})

/** Of labs that have ended. */
function leftOver(): string[] {
  const names = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.match(/banyanlab-\d+-\S+/g) ?? []
  return names.filter((name) => !existsSync(`/proc/${name.split('-')[1]}`))
}

/** In CI everything has to be there. */
function skipOf(): { skip?: string } {
  if (process.env['CI'] !== undefined) return {}
  if (process.getuid?.() !== 0) return { skip: 'only root makes network namespaces' }
  for (const program of ['ip', 'tc', 'nginx', 'curl']) {
    if (spawnSync('sh', ['-c', 'command -v "$0"', program]).status !== 0)
      return { skip: `${program} is not on this machine` }
  }
  const name = `banyanlab-0-probe-${process.pid}`
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return { skip: 'no network namespaces on this machine' }
  spawnSync('ip', ['netns', 'del', name])
  return {}
}
