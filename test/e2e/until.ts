// The one way in which end-to-end tests wait: for a fact, with a deadline.

import { setTimeout as pause } from 'node:timers/promises'

const askEveryMs = 50

/**
 * Asks until the answer is neither undefined nor false, and resolves with it. What the question
 * throws counts as no answer yet. After the deadline it throws what was waited for, and what stood
 * in the way.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  withinMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    let because = ''
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
    } catch (error) {
      because = ` (${error instanceof Error ? error.message : String(error)})`
    }
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain: ${what}${because}`)
    await pause(askEveryMs)
  }
}
