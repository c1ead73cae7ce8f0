// Which seeds a random walk runs with: those that failed once (seeds.txt), then the usual ones.

import * as fs from 'node:fs'
import path from 'node:path'
import { isLarge } from '../large.ts'

const file = path.join(import.meta.dirname, 'seeds.txt')

/**
 * The first of the usual seeds is enough for `npm test`; BANYAN_LARGE=1, as in the CI, takes all.
 */
export function seedsOf(walk: string, usual: readonly string[]): string[] {
  return [...new Set([...failedSeeds(walk), ...(isLarge ? usual : usual.slice(0, 1))])]
}

/** What to add to seeds.txt once the seed has failed. */
export function lineOf(walk: string, seed: string): string {
  const day = new Date().toISOString().slice(0, 10)
  return `a line for test/scenario/seeds.txt: ${walk} ${seed} ${day} CAUSE`
}

function failedSeeds(walk: string): string[] {
  const lines = fs.readFileSync(file, 'utf8').split('\n')
  return lines.flatMap((line) => {
    const [name, seed] = line.split(/\s+/)
    return name === walk && seed !== undefined ? [seed] : []
  })
}
