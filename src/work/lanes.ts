// A fixed number of pieces of work at a time. The others wait for their turn.

import { Failure } from '../model/failure.ts'

export interface Lanes {
  /**
   * Work with `first` goes before the others that wait. Throws `refused` if the work is not needed
   * any longer at its turn.
   */
  run<T>(work: () => Promise<T>, turn: { first: boolean; isNeeded: () => boolean }): Promise<T>
}

export function createLanes(count: number): Lanes {
  const waiting = { first: [] as (() => void)[], others: [] as (() => void)[] }
  let taken = 0
  const next = () => {
    const goOn = waiting.first.shift() ?? waiting.others.shift()
    if (goOn === undefined) taken -= 1
    else goOn()
  }
  return {
    run: async (work, { first, isNeeded }) => {
      if (taken < count) taken += 1
      else await new Promise<void>((resolve) => waiting[first ? 'first' : 'others'].push(resolve))
      try {
        if (!isNeeded()) throw new Failure('refused', 'not needed any longer')
        return await work()
      } finally {
        next()
      }
    },
  }
}
