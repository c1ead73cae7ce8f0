// What a look at a machine without changes costs, with so many desired packages: CPU of the daemon
// itself, and the time that the package manager's own queries take. Run: node bench/check.ts
// [PACKAGES]

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { DesiredPackage } from '../src/model/desired.ts'
import type { Manifest } from '../src/model/manifest.ts'
import type { InstalledRecord } from '../src/reconcile/actual.ts'
import { openLocalMachine } from '../src/reconcile/machine.ts'
import { systemClock } from '../src/world/clock.ts'
import { systemDisk } from '../src/world/disk.ts'
import { systemExec } from '../src/world/exec.ts'
import { systemRandom } from '../src/world/random.ts'
import type { Exec } from '../src/world/world.ts'

const count = Number(process.argv[2] ?? 2000)
const runs = 10
const folder = await mkdtemp(path.join(os.tmpdir(), 'banyan-bench-'))
const info = path.join(folder, 'root/var/lib/dpkg/info')
await mkdir(info, { recursive: true })
await mkdir(path.join(folder, 'root/var/lib/dpkg/updates'))
const names = Array.from({ length: count }, (_, index) => `package-${String(index).padStart(5, '0')}`)
const digestOf = (index: number) => index.toString(16).padStart(64, '0')
const stanzas = names.map((name) => {
  return `Package: ${name}\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: 1.0\nDescription: x\n`
})
await writeFile(path.join(folder, 'root/var/lib/dpkg/status'), `${stanzas.join('\n')}\n`)
for (const name of names) await writeFile(path.join(info, `${name}.list`), '/.\n')

const desired = names.map((name, index): DesiredPackage => {
  return { state: 'present', name, version: '1.0', manifest: digestOf(index), line: 1 }
})
const manifests = new Map(
  names.map((name, index): [string, Manifest] => [
    digestOf(index),
    {
      ...{ schema: 1, name, version: '1.0', kind: 'deb', arch: 'all', installedSize: 1, depends: [], summary: '' },
      ...{ hooks: {}, payload: { via: 'object', sha256: digestOf(index), size: 1 } },
    },
  ]),
)
const records = names.map((name, index): InstalledRecord => {
  const [manifest, payload] = [digestOf(index), digestOf(index)]
  return { name, kind: 'deb', version: '1.0', manifest, payload, revision: 1, state: 'installed', foundThere: false }
})
let queriesMs = 0
const exec: Exec = {
  ...systemExec,
  async run(run) {
    const began = performance.now()
    const result = await systemExec.run(run)
    queriesMs += performance.now() - began
    return result
  },
}
const machine = openLocalMachine({
  ...{ home: path.join(folder, 'home'), targetRoot: path.join(folder, 'root') },
  ...{ exec, disk: systemDisk, clock: systemClock, random: systemRandom },
})
const rows: { cpuMs: number; wholeMs: number; queriesMs: number }[] = []
for (let run = 0; run < runs; run += 1) {
  queriesMs = 0
  const [cpu, began] = [process.cpuUsage(), performance.now()]
  const { differences } = await machine.look({
    ...{ revision: { number: 1, digest: digestOf(0) }, desired, later: [], manifests, records, converged: 1 },
    timing: { windows: {}, now: systemClock.now(), timeZone: () => 'UTC' },
    payloadPath: async () => undefined,
  })
  if (differences.length > 0) throw new Error(`${differences.length} differences: ${JSON.stringify(differences[0])}`)
  const { user, system } = process.cpuUsage(cpu)
  rows.push({ cpuMs: (user + system) / 1000, wholeMs: performance.now() - began, queriesMs })
}
await rm(folder, { recursive: true })
console.log(
  `| look at ${count} packages | CPU of the daemon, ms | whole, ms | of which queries, ms |\n| --- | --- | --- | --- |`,
)
console.log(`| the first | ${shown(rows[0])} |`)
console.log(`| median of the next ${runs - 1} | ${shown(medianOf(rows.slice(1)))} |`)

function medianOf(list: typeof rows) {
  return [...list].sort((a, b) => a.cpuMs - b.cpuMs)[Math.floor(list.length / 2)]
}

function shown(row: (typeof rows)[number] | undefined): string {
  return [row?.cpuMs, row?.wholeMs, row?.queriesMs].map((ms) => (ms ?? Number.NaN).toFixed(0)).join(' | ')
}
