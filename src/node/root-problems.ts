// What is wrong with a root as the fleet's authority, in words for a person.

import type { Fleet } from '../trust/fleet.ts'
import { aheadText } from '../trust/versions-heard.ts'

/** Empty at all nodes but a root, whose fleet is null. */
export function rootProblems(fleet: Pick<Fleet, 'clockDoubt' | 'ahead'> | null): string[] {
  if (fleet === null) return []
  return [...clockProblems(fleet), ...aheadProblems(fleet)]
}

function clockProblems(fleet: Pick<Fleet, 'clockDoubt'>): string[] {
  const doubt = fleet.clockDoubt()
  if (doubt === null) return []
  const { machine, signing, agree, voices } = doubt
  const time = (at: number) => new Date(at).toISOString()
  // With two clocks there is no majority.
  const which = voices === 1 && agree === 0 ? ', and nothing says which of the two clocks is wrong' : ''
  return [
    `the clock of this machine says ${time(machine)}, and the root signs at ${time(signing)}, which continues its ` +
      `last signed time; ${agree} of ${voices} children agree with the clock${which}. If the clock is right: banyan doctor --fix`,
  ]
}

function aheadProblems(fleet: Pick<Fleet, 'ahead'>): string[] {
  const ahead = fleet.ahead()
  return ahead === null ? [] : [`${aheadText(ahead)}. Nothing is signed until banyan recover`]
}
