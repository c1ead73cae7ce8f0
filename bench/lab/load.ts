// What is brought: files in a folder, the same for every system.

import { randomBytes } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import path from 'node:path'

export interface Load {
  folder: string
  /** Of the files, in bytes, by name. */
  sizes: ReadonlyMap<string, number>
}

export type LoadPlan = { kind: 'one'; mib: number } | { kind: 'many'; files: number; medianBytes: number }

const stepBytes = 1024 * 1024
/**
 * What packing as a tree adds to one file whose size fills whole blocks: its header, and the two
 * blocks of the end.
 */
export const treeOverheadBytes = 3 * 512
const blockBytes = 512
/**
 * The logarithm's standard deviation; a repository of small packages has a few that are ten times
 * the median.
 */
const spread = 0.8
const manyMaxBytes = 900 * 1024

export async function writeLoad(folder: string, plan: LoadPlan): Promise<Load> {
  await mkdir(folder, { recursive: true })
  const sizes = plan.kind === 'one' ? new Map([['payload', plan.mib * stepBytes]]) : sizesOfMany(plan)
  for (const [name, size] of sizes) {
    const file = await open(path.join(folder, name), 'w')
    for (let left = size; left > 0; left -= stepBytes) await file.write(randomBytes(Math.min(left, stepBytes)))
    await file.close()
  }
  return { folder, sizes }
}

export function bytesOf({ sizes }: Load): number {
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

/** Where its only file lies; undefined if it has more. */
export function onlyFileOf({ folder, sizes }: Load): string | undefined {
  const [name] = sizes.keys()
  return sizes.size === 1 && name !== undefined ? path.join(folder, name) : undefined
}

/** Log-normal, by quantiles and not by chance, so that every run has the same sizes. */
function sizesOfMany({ files, medianBytes }: Extract<LoadPlan, { kind: 'many' }>): Map<string, number> {
  const sizes = Array.from({ length: files }, (_, index) => {
    const bytes = medianBytes * Math.exp(spread * normalQuantile((index + 0.5) / files))
    const blocks = Math.round(Math.min(bytes, manyMaxBytes) / blockBytes)
    return Math.max(blocks * blockBytes, treeOverheadBytes + blockBytes)
  })
  // By a stride that meets each once, so that large and small ones are mixed.
  const stride = strideFor(files)
  return new Map(sizes.map((_, index) => [`part${index}`, sizes[(index * stride) % files] ?? 0]))
}

function strideFor(files: number): number {
  const divides = (a: number, b: number): number => (b === 0 ? a : divides(b, a % b))
  let stride = Math.max(1, Math.round(files * 0.618))
  while (divides(stride, files) !== 1) stride += 1
  return stride
}

/**
 * By bisection of the distribution's usual approximation (Abramowitz and Stegun 7.1.26), which is
 * good to 1e-7.
 */
function normalQuantile(share: number): number {
  let [low, high] = [-8, 8]
  while (high - low > 1e-6) {
    const middle = (low + high) / 2
    if (normalShareBelow(middle) < share) low = middle
    else high = middle
  }
  return (low + high) / 2
}

function normalShareBelow(value: number): number {
  const x = Math.abs(value) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const erf = 1 - polynomial * Math.exp(-x * x)
  return value >= 0 ? (1 + erf) / 2 : (1 - erf) / 2
}
