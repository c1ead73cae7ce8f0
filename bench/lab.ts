// The lab: banyan and its peers bring the same payload through the same shaped links, one after the other. Needs root, for
// network namespaces, and Debian's nginx-light, curl, rsync, python3-libtorrent, aria2 and transmission-cli.
// Run: node bench/lab.ts [--runs N] [--only NAME]... [--mib N] [--json]; NAME is a scenario or part of a system's name.

import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { banyan } from './lab/banyan.ts'
import { aria2, transmission } from './lab/peers/clients.ts'
import { cachingProxy, oneTransfer, plainHttp } from './lab/peers/http.ts'
import { libtorrent } from './lab/peers/libtorrent.ts'
import { rsync } from './lab/peers/rsync.ts'
import { type Scenario, scenarios } from './lab/scenarios.ts'
import { type Lab, openLab, sweep } from './lab/site.ts'
import type { System } from './lab/system.ts'
import { type Measured, tableOf } from './lab/table.ts'

const systems: readonly System[] = [
  banyan,
  oneTransfer,
  plainHttp,
  cachingProxy,
  rsync,
  libtorrent,
  aria2,
  transmission,
]
/** For what was started to come to rest. */
const restMs = 2_000
/** One that needs longer has failed. */
const giveUpMs = 180_000

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [] },
    mib: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
  },
})
const [runs, mib] = [Number(values.runs), Number(values.mib)]
const isScenario = (name: string) => scenarios.some((each) => each.name === name)
const asked = values.only.filter(isScenario)
const parts = values.only.filter((name) => !isScenario(name))
const chosenScenarios = scenarios.filter(({ name }) => asked.length === 0 || asked.includes(name))
const chosenSystems = systems.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)))
if (!(runs >= 1) || !(mib >= 1) || chosenSystems.length === 0) {
  refuse(
    `nothing to measure; scenarios: ${scenarios.map(({ name }) => name).join(', ')}; systems: ${systems.map(({ name }) => name).join(', ')}`,
  )
}
if (process.getuid?.() !== 0) refuse('the lab makes network namespaces, and only root may do that')

let current: Lab | undefined
let folder = ''
let isEnding = false
const clean = async () => {
  await current?.close()
  await sweep()
  if (folder !== '') await rm(folder, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (isEnding) return
    isEnding = true
    void clean().finally(() => process.exit(130))
  })
}

const results: { scenario: string; title: string; measured: Measured[] }[] = []
try {
  await sweep()
  folder = await mkdtemp(path.join(os.tmpdir(), 'banyanlab-'))
  const payload = path.join(folder, 'payload')
  await writeRandom(payload, mib)
  for (const scenario of chosenScenarios) {
    const measured: Measured[] = []
    results.push({ scenario: scenario.name, title: scenario.title, measured })
    // Systems take turns, so that a slow minute of the machine meets all of them.
    for (let run = 0; run < runs; run += 1) {
      for (const system of chosenSystems) {
        if (isEnding) break
        const what = `${scenario.name} ${run + 1}/${runs} ${system.name}`
        try {
          const result = await measure(scenario, system, payload)
          measured.push(result)
          process.stderr.write(`${what}: ${result.seconds.toFixed(2)} s\n`)
        } catch (error) {
          // One that fails must not take the others' figures along.
          if (!isEnding) process.stderr.write(`${what}: ${error instanceof Error ? error.message : error}\n`)
          process.exitCode = 1
        }
      }
    }
    if (!values.json) console.log(`\n${scenario.title}; ${mib} MiB, ${runs} runs\n\n${tableOf(measured)}`)
  }
  if (values.json) console.log(JSON.stringify({ at: new Date().toISOString(), mib, runs, results }))
} finally {
  if (!isEnding) await clean()
}

async function measure(scenario: Scenario, system: System, payload: string): Promise<Measured> {
  const lab = await openLab(scenario.plan, folder)
  current = lab
  try {
    const prepared = await system.prepare(lab, payload)
    await pause(restMs)
    const before = await lab.wanBytes()
    const startedAt = Date.now()
    const endedAt = await inTime(prepared.go())
    const after = await lab.wanBytes()
    return {
      system: system.name,
      bytes: prepared.bytes,
      seconds: (endedAt - startedAt) / 1000,
      idealSeconds: scenario.idealSeconds(prepared.bytes),
      wanBytes: after.map((bytes, index) => bytes - (before[index] ?? 0)),
    }
  } finally {
    if (!isEnding) await lab.close()
    current = undefined
  }
}

async function inTime(work: Promise<number>): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${giveUpMs / 1000} s`)), giveUpMs)
  })
  // What is stopped when the lab closes fails once more, and nobody waits for it then.
  work.catch(() => {})
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

async function writeRandom(file: string, mebibytes: number): Promise<void> {
  const handle = await open(file, 'w')
  for (let each = 0; each < mebibytes; each += 1) await handle.write(randomBytes(1024 * 1024))
  await handle.close()
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function refuse(because: string): never {
  process.stderr.write(`error: ${because}\n`)
  process.exit(2)
}
