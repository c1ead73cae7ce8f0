// Resident memory of idle nodes: a root, a staging server and a client that have converged and
// whose engines have ended. Run: node bench/idle.ts [RUNS]

import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openTree } from '../src/cli/demo/tree.ts'

const runs = Number(process.argv[2] ?? 3)
const names = ['root', 'berlin', 'leaf'] as const
const figures = new Map<string, { rss: number[]; own: number[] }>(names.map((name) => [name, { rss: [], own: [] }]))

for (let run = 0; run < runs; run += 1) {
  const tree = await openTree()
  try {
    await tree.plant({ name: 'root', site: 'headquarters', parent: null })
    const home = tree.nodes.get('root')?.home ?? ''
    const token = (await tree.banyan(['token', 'create', '--uses', '2', '--home', home])).stdout.trim()
    await tree.plant({ name: 'berlin', site: 'berlin', parent: 'root', token })
    await tree.plant({ name: 'leaf', site: 'berlin', parent: 'berlin', token })
    await tree.banyan(['publish', path.join(import.meta.dirname, '../torrents/packages/motd-1.0.0'), '--home', home])
    await writeFile(path.join(home, 'policy.yaml'), 'rules:\n  - nodes: all\n    packages: { motd: latest }\n')
    await tree.banyan(['release', '--home', home])
    await pause(10_000)
    for (const name of names) {
      const pid = tree.nodes.get(name)?.process?.pid
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      const kilobytes = (key: string) => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1])
      figures.get(name)?.rss.push((kilobytes('VmRSS') * 1024) / 1e6)
      figures.get(name)?.own.push((kilobytes('RssAnon') * 1024) / 1e6)
    }
  } finally {
    await tree.fell()
  }
}

console.log(
  '| node | resident, MB: median (least to most) | of which its own (not the Node binary), MB |\n| --- | --- | --- |',
)
for (const [name, { rss, own }] of figures) console.log(`| ${name} | ${spread(rss)} | ${spread(own)} |`)

function spread(values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number) => (sorted[index] ?? Number.NaN).toFixed(1)
  return `${at(Math.floor(sorted.length / 2))} (${at(0)} to ${at(sorted.length - 1)})`
}
