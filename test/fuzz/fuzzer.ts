// Runs a fuzz target on its seeds and on mutations of them. An input that reaches new code, or is
// refused with words not seen before, is kept as one to mutate further.

import { createHash } from 'node:crypto'
import { Failure } from '../../src/model/failure.ts'
import type { Random } from '../../src/world/world.ts'
import { mutated } from './mutator.ts'
import { bytesOf, type FuzzTarget, inputMaxBytes, seedsOf } from './target.ts'

export interface Defect {
  input: Uint8Array
  /** What was thrown, or what the input cost. */
  because: string
}

export interface Fuzzed {
  runs: number
  /** How many inputs are being mutated at the end. */
  kept: number
  /** One for each kind. */
  defects: Defect[]
}

export interface FuzzOptions {
  random: Random
  /** Asked before each batch. */
  goesOn: (runs: number) => boolean
  /** Returns whether code was reached that was never reached before, and notes it. */
  reachesNew?: { look(): boolean; note(): boolean }
  /** Called before each run, for a watch that ends a target that hangs. */
  onRun?: (input: Uint8Array) => void
}

const batchRuns = 32
/** Of processor time, for an input of at most `inputMaxBytes`. The slowest takes a tenth of it. */
const slowMs = 1000
const messageMaxChars = 4096
const keptMax = 2000
const defectsMax = 20

export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<Fuzzed> {
  const { random, reachesNew } = options
  const corpus = [...target.examples.map(bytesOf), ...seedsOf(target.name), new Uint8Array(0)]
  const defects = new Map<string, Defect>()
  const words = new Set<string>()
  let runs = 0
  const tryOne = async (input: Uint8Array): Promise<boolean> => {
    runs += 1
    options.onRun?.(input)
    const end = await endOf(target, input)
    if (end.kind === 'defect' && defects.size < defectsMax && !defects.has(shapeOf(end.because))) {
      defects.set(shapeOf(end.because), { input, because: end.because })
    }
    const shape = end.kind === 'refused' ? shapeOf(end.because) : ''
    const isNew = words.size < keptMax && !words.has(shape)
    words.add(shape)
    return isNew
  }
  for (const input of corpus) await tryOne(input)
  reachesNew?.note()
  while (options.goesOn(runs)) {
    const batch: Uint8Array[] = []
    for (let index = 0; index < batchRuns; index += 1) {
      // The newest half of the time: what has just been reached leads on.
      const among = random.fraction() < 0.5 ? corpus.slice(-16) : corpus
      const from = among[Math.floor(random.fraction() * among.length)] as Uint8Array
      const { format, words: own = [], maxBytes = inputMaxBytes } = target
      const input = mutated(from, { random, format, maxBytes, words: own, others: corpus })
      batch.push(input)
      if ((await tryOne(input)) && corpus.length < keptMax) corpus.push(input)
    }
    if (reachesNew?.look() !== true) continue
    for (const input of batch) {
      await tryOne(input)
      if (reachesNew.note() && corpus.length < keptMax) corpus.push(input)
    }
  }
  return { runs, kept: corpus.length, defects: [...defects.values()] }
}

type End = { kind: 'accepted' } | { kind: 'refused' | 'defect'; because: string }

/** How one run ended. */
export async function endOf(target: FuzzTarget, input: Uint8Array): Promise<End> {
  const before = performance.now()
  const end = await ended(target, input)
  if (performance.now() - before < slowMs) return end
  // The machine may have been busy. Only processor time counts, of a second run.
  const used = process.threadCpuUsage()
  await ended(target, input)
  const { user, system } = process.threadCpuUsage(used)
  const ms = Math.round((user + system) / 1000)
  return ms < slowMs ? end : { kind: 'defect', because: `slow: ${input.length} bytes take over ${slowMs} ms` }
}

async function ended(target: FuzzTarget, input: Uint8Array): Promise<End> {
  try {
    // A parser that keeps a view of its input may change it.
    await target.run(Uint8Array.from(input))
    return { kind: 'accepted' }
  } catch (error) {
    if (!(error instanceof Failure)) {
      const what = error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error)
      return { kind: 'defect', because: what.slice(0, 2000) }
    }
    if (error.message.length <= messageMaxChars) return { kind: 'refused', because: error.message }
    return { kind: 'defect', because: `the message of a Failure has over ${messageMaxChars} characters` }
  }
}

/** The same for messages that differ in what they quote. Of a stack, its first two lines. */
function shapeOf(message: string): string {
  const lines = message.split('\n')
  const text = lines.find((line) => /^\s+at .*\/src\//.test(line)) ?? (lines[0] as string)
  return text
    .replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, '"')
    .replace(/[0-9a-f]{16,}|\d+/g, '0')
    .slice(0, 120)
}

/** A name for the file of an input. */
export function nameOfInput(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 12)
}
