// One target in a thread of its own, which the main thread ends if an input never comes back.

import { parentPort, workerData } from 'node:worker_threads'
import { seededRandom } from '../world/seeded-random.ts'
import { type Reached, startCoverage } from './coverage.ts'
import { type Fuzzed, fuzz } from './fuzzer.ts'
import { type Group, targetsIn } from './targets.ts'

export interface Job {
  group: Group
  target: string
  seed: string
  ms: number
  /** The number of the run, the length of its input, and the input. */
  shared: SharedArrayBuffer
}
export type Answer = Fuzzed & { reached: Reached; ms: number }

const job = workerData as Job
const coverage = startCoverage()
const target = (await targetsIn(job.group)).find(({ name }) => name === job.target)
if (target === undefined) throw new TypeError(`no target ${job.target}`)
const numbers = new Int32Array(job.shared, 0, 2)
const room = new Uint8Array(job.shared, 8)
const began = performance.now()
const fuzzed = await fuzz(target, {
  random: seededRandom(`${job.seed} ${target.name}`),
  goesOn: () => performance.now() - began < job.ms,
  reachesNew: coverage,
  onRun(input) {
    room.set(input.subarray(0, room.length))
    numbers[1] = Math.min(input.length, room.length)
    Atomics.add(numbers, 0, 1)
  },
})
const answer: Answer = { ...fuzzed, reached: coverage.of(target.parsers), ms: performance.now() - began }
coverage.stop()
parentPort?.postMessage(answer)
