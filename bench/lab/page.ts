// The generated part of docs/benchmarks.md: what was measured, where, with which versions.

import { readFile, writeFile } from 'node:fs/promises'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Measured } from './measured.ts'
import { python } from './peers/torrent-file.ts'
import type { Scenario } from './scenarios.ts'
import { run } from './shell.ts'
import { aimsTableOf, tableOf } from './table.ts'

const page = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url))
const webtorrentFile = fileURLToPath(new URL('../../node_modules/webtorrent/package.json', import.meta.url))
const [begin, end] = ['<!-- lab: written by `node bench/lab.ts --write` -->', '<!-- lab: end -->']

/** What stands outside of the markers stays. Throws if they are not there. */
export async function writePage(scenarios: readonly Scenario[], measured: readonly Measured[]): Promise<void> {
  const text = await readFile(page, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`${page}: no ${begin} ... ${end}`)
  const generated = `${begin}\n\n${await generatedOf(scenarios, measured)}\n\n`
  await writeFile(page, text.slice(0, from) + generated + text.slice(to))
}

async function generatedOf(scenarios: readonly Scenario[], measured: readonly Measured[]): Promise<string> {
  const tables = scenarios.flatMap((scenario) => {
    const own = measured.filter((each) => each.scenario === scenario.name)
    if (own.length === 0) return []
    const mib = (Math.max(...own.map(({ bytes }) => bytes)) / 1024 / 1024).toFixed(0)
    const about = `${scenario.title}; ${mib} MiB. ${sourcesOf(own)}`
    return [`### ${scenario.name}\n\n${about}\n\n${tableOf(scenario, measured)}`]
  })
  const about = `Machine: ${os.cpus()[0]?.model.trim()}, ${os.cpus().length} cores, Linux ${os.release()}. ${await versions()}.`
  const aims = aimsTableOf(scenarios, measured)
  const parts = [about, ...(aims === '' ? [] : [`### Aims\n\nWhat there is to beat.\n\n${aims}`]), ...tables]
  return parts.join('\n\n')
}

function sourcesOf(measured: readonly Measured[]): string {
  const unique = (values: readonly string[]) => [...new Set(values)].join(', ')
  const days = unique(measured.map(({ at }) => at.slice(0, 10)))
  const banyan = measured.filter(({ system }) => system === 'banyan')
  const commits = banyan.length === 0 ? '' : `, banyan of ${unique(banyan.map(({ commit }) => commit))}`
  return `${days}, \`node bench/lab.ts --only ${measured[0]?.scenario}\`${commits}.`
}

async function versions(): Promise<string> {
  const { version } = JSON.parse(await readFile(webtorrentFile, 'utf8')) as { version: string }
  const of = async (program: string, args: string[]) => {
    // Some say it on the other output.
    const text = await run('sh', ['-c', '"$@" 2>&1', 'sh', program, ...args]).catch(() => '')
    return /\d+\.\d+[.\d]*/.exec(text)?.[0] ?? 'not there'
  }
  const peers = await Promise.all([
    of('nginx', ['-v']).then((found) => `nginx ${found}`),
    of('curl', ['--version']).then((found) => `curl ${found}`),
    of('rsync', ['--version']).then((found) => `rsync ${found}`),
    of(python, ['-c', 'import libtorrent; print(libtorrent.__version__)']).then((found) => `libtorrent ${found}`),
    of('aria2c', ['--version']).then((found) => `aria2 ${found}`),
    of('transmission-cli', ['--version']).then((found) => `transmission ${found}`),
  ])
  return ['Node', process.versions.node].join(' ').concat(`, webtorrent ${version}, ${peers.join(', ')}`)
}
