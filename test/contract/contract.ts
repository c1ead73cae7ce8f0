// What every contract suite needs of the world that it runs in.

import { Failure, type FailureCode } from '../../src/model/failure.ts'

/**
 * How work gets done in a world: in the real one by waiting, in the simulated one by running it.
 */
export interface Passage {
  until<T>(work: Promise<T>): Promise<T>
  /** Lets time pass. */
  pass(ms: number): Promise<void>
}

export const realPassage: Passage = {
  until: (work) => work,
  pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}

/** The code of the Failure that some work ends in; anything else that it throws is thrown on. */
export async function failureCodeOf(work: Promise<unknown>): Promise<FailureCode | 'none'> {
  try {
    await work
    return 'none'
  } catch (error) {
    if (error instanceof Failure) return error.code
    throw error
  }
}
