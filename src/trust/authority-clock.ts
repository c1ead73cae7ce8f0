// The time at which the root signs. A machine's clock can be wrong by years, and what was signed
// with a wrong time stays wrong at every node. So the root continues from its last signed time by
// the clock that only counts. A jump of the machine's clock by more than `limits.clockJumpMaxMs` is
// in doubt until the clocks of children, or a person, agree with it.

import { limits } from '../model/limits.ts'
import type { Instant, NodeName } from '../model/names.ts'
import type { Clock } from '../world/world.ts'
import { createVoices } from './voices.ts'

export interface ClockDoubt {
  /** What the machine's clock says. */
  machine: Instant
  /** The time that the root signs at meanwhile. */
  signing: Instant
  /** Children whose clocks agree with the machine's, and all whose clocks are known. */
  agree: number
  voices: number
}

export interface AuthorityClock {
  /** The time to sign at. */
  now(): Instant
  /**
   * The earliest and the latest time that it can be. A certificate holds over both, so it is good
   * whichever of the two clocks is right.
   */
  span(): { now: Instant; until: Instant }
  /** The clock of a node that has just called. */
  heard(node: NodeName, at: Instant): void
  /** A person vouches for the machine's clock. */
  confirm(): void
  /** Null while the machine's clock and the signed times agree. */
  doubt(): ClockDoubt | null
}

export interface AuthorityClockParts {
  clock: Pick<Clock, 'now' | 'monotonicMs'>
  /** The last signed time. */
  signedAt: Instant
  /** Called when a clock in doubt turns out to be right: what was signed meanwhile is of old. */
  onBelieved: () => void
  /**
   * How many other nodes the fleet has. Without any, nobody could object to a jump, and nobody would
   * be harmed.
   */
  othersCount: () => number
}

export function createAuthorityClock({
  clock,
  signedAt,
  othersCount,
  onBelieved,
}: AuthorityClockParts): AuthorityClock {
  let base = { at: signedAt, monotonicMs: clock.monotonicMs() }
  /** By how much the clock of a node is ahead of the count. */
  const voices = createVoices<number>(clock)

  const trustMachine = () => {
    base = { at: clock.now(), monotonicMs: clock.monotonicMs() }
    return base.at
  }
  const counted = () => Math.floor(base.at + clock.monotonicMs() - base.monotonicMs)
  const doubt = (): ClockDoubt | null => {
    const machine = clock.now()
    const signing = counted()
    if (othersCount() === 0 || Math.abs(machine - signing) <= limits.clockJumpMaxMs) return null
    const nowMs = clock.monotonicMs()
    const times = voices.recent().map((ahead) => nowMs + ahead)
    const agree = times.filter((at) => Math.abs(at - machine) <= limits.clockVoiceSlackMs).length
    const isVouched = 2 * agree > times.length && agree >= Math.min(limits.clockVoicesAimed, othersCount())
    return isVouched ? null : { machine, signing, agree, voices: times.length }
  }
  const now = () => doubt()?.signing ?? trustMachine()

  return {
    now,
    span() {
      const signing = now()
      return { now: Math.min(signing, clock.now()), until: Math.max(signing, clock.now()) }
    },
    heard(node, at) {
      const wasInDoubt = doubt() !== null
      voices.heard(node, at - clock.monotonicMs())
      if (!wasInDoubt || doubt() !== null) return
      trustMachine()
      onBelieved()
    },
    confirm() {
      const wasInDoubt = doubt() !== null
      trustMachine()
      if (wasInDoubt) onBelieved()
    },
    doubt,
  }
}
