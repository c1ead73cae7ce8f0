// Restart of a staging server with many whole holdings: the time until it is ready, its memory, and
// what it reads. Run: node bench/restart.ts [--runs 3] [--holdings 10000] [--gib 100]; the files
// are sparse, the records are real.

import { readdir, readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { openTree, type Tree } from '../src/cli/demo/tree.ts'
import { familyOf, memoryOf } from './lab/processes.ts'
import { markdownOf, spread } from './lab/table.ts'
import { fillHome } from './many-holdings.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    holdings: { type: 'string', default: '10000' },
    gib: { type: 'string', default: '100' },
  },
})
const [runs, count] = [Number(values.runs), Number(values.holdings)]
const size = Math.floor((Number(values.gib) * 1024 ** 3) / count)
/** After its first announce and the look at all files. */
const settledMs = 15_000

interface Restart {
  readySeconds: number
  atReady: number
  settled: number
  peak: number
  readBytes: number
  engines: number
}

const restarts: Restart[] = []
const tree = await openTree()
try {
  await tree.plant({ name: 'root', site: 'headquarters', parent: null })
  const { home } = tree.nodes.get('root') ?? { home: '' }
  const token = (await tree.banyan(['token', 'create', '--home', home])).stdout.trim()
  const { home: filled } = await tree.plant({ name: 'berlin', site: 'berlin', parent: 'root', token })
  await tree.stop('berlin', 'SIGTERM')
  await fillHome(filled, { count, size })
  const files = (await readdir(`${filled}/store`)).length
  process.stderr.write(`${files} files of ${size} bytes\n`)
  // Once before: the program's compile cache is there, as it is at every start but the first.
  await restart(tree)
  for (let run = 0; run < runs; run += 1) {
    const one = await restart(tree)
    restarts.push(one)
    process.stderr.write(`${run + 1}/${runs}: ready after ${one.readySeconds.toFixed(2)} s\n`)
  }
} finally {
  await tree.fell()
}

const of = (value: (restart: Restart) => number) => spread(restarts.map(value))
console.log(
  markdownOf([
    ['', `${count} holdings of ${size} bytes, ${runs} restarts`],
    ['start to `ready`, s', of(({ readySeconds }) => readySeconds)],
    ['control process when ready, MB', of(({ atReady }) => atReady / 1e6)],
    ['after 15 s', of(({ settled }) => settled / 1e6)],
    ['at most', of(({ peak }) => peak / 1e6)],
    ['read by it from start to then (files, sockets and all), MB', of(({ readBytes }) => readBytes / 1e6)],
    ['engine processes', of(({ engines }) => engines)],
  ]),
)

async function restart(tree: Tree): Promise<Restart> {
  const startedAt = performance.now()
  await tree.start('berlin')
  const readySeconds = (performance.now() - startedAt) / 1000
  const pid = tree.nodes.get('berlin')?.process?.pid ?? 0
  const atReady = (await memoryOf(pid)).resident
  await new Promise((resolve) => setTimeout(resolve, settledMs))
  const { resident, peak } = await memoryOf(pid)
  // An engine would still be there: it stays for longer than this when it has nothing to do.
  const family = await familyOf(pid)
  const read = await Promise.all(family.map(async (each) => readBytesOf(each.pid)))
  const { whole } = ((await tree.ask('berlin', '/status')) as { payloads: { whole: number } }).payloads
  if (whole !== count) throw new Error(`${whole} of ${count} holdings are there after the restart`)
  await tree.stop('berlin', 'SIGTERM')
  return {
    ...{ readySeconds, atReady, peak, settled: resident },
    readBytes: read.reduce((sum, each) => sum + each, 0),
    engines: family.filter(({ command }) => command.includes('engine-main')).length,
  }
}

/** By any read call, whatever cache it came from. */
async function readBytesOf(pid: number): Promise<number> {
  return Number(/^rchar: (\d+)/m.exec(await readFile(`/proc/${pid}/io`, 'utf8'))?.[1])
}
