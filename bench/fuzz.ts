// Fuzzes the parsers, each target in a thread of its own, and says what was reached. An input that a
// target fails on is written below test/fuzz/seeds, where `npm test` tries it from then on. Run:
// node bench/fuzz.ts [--for 1h] [--jobs 2] [--seed TEXT] [TARGET ...]

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { durationFrom } from '../src/model/units/durations.ts'
import type { Answer, Job } from '../test/fuzz/fuzz-worker.ts'
import { type Defect, nameOfInput } from '../test/fuzz/fuzzer.ts'
import { inputMaxBytes, seedsFolderOf } from '../test/fuzz/target.ts'
import { type Group, groups, targetsIn } from '../test/fuzz/targets.ts'

/** An input that takes longer never ends, even on a busy machine. */
const hangMs = 60_000
/** For the objects of one thread. No parser needs a quarter of it. */
const heapMaxMb = 512

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    for: { type: 'string', default: '10s' },
    jobs: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now()) },
  },
})
const ms = durationFrom(values.for)
if (ms === undefined) throw new TypeError(`--for: expected a duration such as 60s, not ${values.for}`)
const all: { group: Group; target: string }[] = []
for (const group of groups) for (const { name } of await targetsIn(group)) all.push({ group, target: name })
const waiting = all.filter(({ target }) => positionals.length === 0 || positionals.includes(target))
let failed = waiting.length === 0 ? 1 : 0
console.log(`seed ${values.seed}, ${values.for} for each of ${waiting.length} targets`)
console.log(['target'.padEnd(22), 'runs', 'runs/s', 'kept', 'functions', 'code'].join('\t'))
await Promise.all(Array.from({ length: Number(values.jobs) }, runWaiting))
process.exitCode = failed === 0 ? 0 : 1

async function runWaiting(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { defects, ...rest } = await run(next)
    const { answer } = rest
    if (answer !== undefined) {
      const { functions, entered, share } = answer.reached
      const rate = Math.round(answer.runs / (answer.ms / 1000))
      const cells = [answer.runs, rate, answer.kept, `${entered}/${functions}`, `${Math.round(share * 100)} %`]
      console.log([next.target.padEnd(22), ...cells].join('\t'))
    }
    for (const defect of defects) await keep(next.target, defect)
    failed += defects.length
  }
}

async function run({ group, target }: (typeof all)[number]): Promise<{ answer?: Answer; defects: Defect[] }> {
  const shared = new SharedArrayBuffer(8 + inputMaxBytes)
  const numbers = new Int32Array(shared, 0, 2)
  const job: Job = { group, target, seed: values.seed, ms: ms as number, shared }
  const worker = new Worker(new URL('../test/fuzz/fuzz-worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: heapMaxMb },
  })
  const lastInput = () => Uint8Array.from(new Uint8Array(shared, 8, numbers[1]))
  return await new Promise((resolve) => {
    let seen = -1
    const watch = setInterval(() => {
      const now = Atomics.load(numbers, 0)
      if (now === seen && now > 0) end({ defects: [{ input: lastInput(), because: 'it does not come back' }] })
      seen = now
    }, hangMs)
    const end = (result: { answer?: Answer; defects: Defect[] }) => {
      clearInterval(watch)
      worker.terminate().then(() => resolve(result), resolve as () => void)
    }
    worker.once('message', (answer: Answer) => end({ answer, defects: answer.defects }))
    worker.once('error', (error) => end({ defects: [{ input: lastInput(), because: String(error) }] }))
  })
}

async function keep(target: string, { input, because }: Defect): Promise<void> {
  const file = path.join(seedsFolderOf(target), nameOfInput(input))
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, input)
  console.log(`\nFAILED ${target}: ${because}`)
  console.log(`${input.length} bytes, now in ${path.relative(process.cwd(), file)}`)
  if (input.length <= 2048) console.log(`base64: ${Buffer.from(input).toString('base64')}`)
}
