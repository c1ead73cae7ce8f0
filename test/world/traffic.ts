// Counts the requests between the nodes of a simulation.

import type { Simulation } from './simulation.ts'

export interface Traffic {
  /** Answered requests to an address in the busiest second since it was last forgotten. */
  busiestSecond(to: string): { requests: number; at: number }
  total(to: string): number
  forget(): void
}

export function watchTraffic(simulation: Simulation): Traffic {
  const seconds = new Map<string, Map<number, number>>()
  simulation.onRequest(({ to }) => {
    const second = Math.floor(simulation.now() / 1000)
    const ofNode = seconds.get(to) ?? new Map<number, number>()
    seconds.set(to, ofNode.set(second, (ofNode.get(second) ?? 0) + 1))
  })
  return {
    busiestSecond: (to) => {
      let [requests, at] = [0, 0]
      for (const [second, count] of seconds.get(to) ?? []) if (count > requests) [requests, at] = [count, second * 1000]
      return { requests, at }
    },
    total: (to) => [...(seconds.get(to)?.values() ?? [])].reduce((sum, count) => sum + count, 0),
    forget: () => seconds.clear(),
  }
}
