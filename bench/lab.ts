// The lab: banyan and its peers bring the same load through the same shaped links, one after the
// other. Needs root, for network namespaces, and Debian's nginx-light, curl, rsync,
// python3-libtorrent, aria2 and transmission-cli.
//
//   node bench/lab.ts [--only NAME]... [--runs N] [--mib N] [--into FILE] [--write] [--json]
//
// NAME is a scenario or part of a system's name. FILE keeps what was measured: later runs are added
// to it, so that a long measurement can be made in pieces. --write puts the tables into
// docs/benchmarks.md; with --runs 0, those of FILE alone.

import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Load, writeLoad } from './lab/load.ts'
import { earlier, keep, type Measured } from './lab/measured.ts'
import { sweep } from './lab/namespaces.ts'
import { writePage } from './lab/page.ts'
import { measure } from './lab/run.ts'
import { type Scenario, scenarios } from './lab/scenarios.ts'
import { run as runProgram } from './lab/shell.ts'
import { type Lab, openLab } from './lab/site.ts'
import { has } from './lab/system.ts'
import { tableOf } from './lab/table.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    only: { type: 'string', multiple: true, default: [] },
    mib: { type: 'string' },
    into: { type: 'string' },
    write: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const runs = Number(values.runs)
const isScenario = (name: string) => scenarios.some((each) => each.name === name)
const asked = values.only.filter(isScenario)
const parts = values.only.filter((name) => !isScenario(name))
const chosen = scenarios
  .filter(({ name, isForTests }) => (asked.length === 0 ? isForTests !== true : asked.includes(name)))
  .map((scenario) => ({
    ...scenario,
    load: values.mib !== undefined && scenario.load.kind === 'one' ? oneOf(Number(values.mib)) : scenario.load,
    chosen: scenario.systems.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part))),
  }))
await refuseWhatCannotBe()

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

const measured: Measured[] = values.into === undefined ? [] : await earlier(values.into)
try {
  await sweep()
  folder = await mkdtemp(path.join(os.tmpdir(), 'banyanlab-'))
  const commit = await commitNow()
  for (const [index, scenario] of (runs > 0 ? chosen : []).entries()) {
    if (isEnding) break
    const load = await writeLoad(path.join(folder, `load${index}`), scenario.load)
    // Systems take turns, so that a slow minute of the machine meets all of them.
    for (let run = 1; run <= runs; run += 1) {
      for (const system of scenario.chosen) if (!isEnding) await measureOne(scenario, system, load, commit, run)
    }
    await rm(load.folder, { recursive: true })
    if (!values.json) console.log(`\n${scenario.title}\n\n${tableOf(scenario, measured)}`)
  }
  if (values.json) console.log(JSON.stringify(measured))
  if (values.write && !isEnding) await writePage(scenarios, measured)
} finally {
  if (!isEnding) await clean()
}

async function measureOne(
  scenario: Scenario,
  system: Scenario['systems'][number],
  load: Load,
  commit: string,
  run: number,
): Promise<void> {
  const what = `${scenario.name} ${run}/${runs} ${system.name}`
  const lab = await openLab(scenario.plan, folder)
  current = lab
  try {
    const result = await measure(lab, scenario, system, load, commit)
    measured.push(result)
    if (values.into !== undefined) await keep(values.into, measured)
    process.stderr.write(`${what}: ${result.seconds.toFixed(2)} s\n`)
  } catch (error) {
    // One that fails must not take the others' figures along.
    if (!isEnding) process.stderr.write(`${what}: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  } finally {
    if (!isEnding) await lab.close()
    current = undefined
  }
}

/** `+` stands for changes that are not committed. */
async function commitNow(): Promise<string> {
  const git = (...args: string[]) => runProgram('git', ['-C', import.meta.dirname, ...args]).catch(() => '')
  const changed = (await git('status', '--porcelain', '--', ':/src', ':/package-lock.json')).trim() !== ''
  return `${(await git('rev-parse', '--short', 'HEAD')).trim() || 'unknown'}${changed ? '+' : ''}`
}

async function refuseWhatCannotBe(): Promise<void> {
  if (
    !(runs >= 0) ||
    (values.mib !== undefined && !(Number(values.mib) >= 1)) ||
    chosen.every((each) => each.chosen.length === 0)
  ) {
    const systems = new Set(scenarios.flatMap((each) => each.systems.map(({ name }) => name)))
    const names = scenarios.map(({ name }) => name)
    refuse(`nothing to measure; scenarios: ${names.join(', ')}; systems: ${[...systems].join(', ')}`)
  }
  if (runs === 0) return
  if (process.getuid?.() !== 0) refuse('the lab makes network namespaces, and only root may do that')
  const needs = chosen.flatMap((each) => each.chosen.flatMap((system) => Object.entries(system.needs)))
  const missing = new Set<string>()
  for (const [program, name] of [['ip', 'iproute2'], ['tc', 'iproute2'], ...needs] as [string, string][]) {
    if (!(await has(program))) missing.add(name)
  }
  if (missing.size > 0) refuse(`these Debian packages are missing: ${[...missing].join(' ')}`)
}

function oneOf(mib: number): { kind: 'one'; mib: number } {
  return { kind: 'one', mib }
}

function refuse(because: string): never {
  process.stderr.write(`error: ${because}\n`)
  process.exit(2)
}
