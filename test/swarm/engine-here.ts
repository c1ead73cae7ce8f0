// The real engine in the test's own process, on a clock of the test's: hours pass in moments, and
// nobody sleeps.

import type { Test } from 'tap'
import { leaveOutWaysOut } from '../../src/swarm/engine/left-out.ts'
import { type EngineFactory, parseCommand, parseEngineReport } from '../../src/swarm/engine.ts'
import { listenForCallers } from '../../src/swarm/listener.ts'
import { systemRandom } from '../../src/world/random.ts'
import type { Clock } from '../../src/world/world.ts'
import { type HandClock, handClock } from '../tracker/hand-clock.ts'

leaveOutWaysOut()
const { startEngineCore } = await import('../../src/swarm/engine/core.ts')

const tickMs = 5

/** Goes so many times as fast as others do, and can be put forward besides. */
export function fastClock(t: Test, factor: number): HandClock {
  const clock = handClock()
  const ticking = setInterval(() => clock.pass(tickMs * factor), tickMs)
  t.teardown(() => clearInterval(ticking))
  return clock
}

export function engineHere(clock: Clock): EngineFactory {
  return {
    listen: listenForCallers,
    start: ({ onReport, onEnd }) => {
      let stopped = () => {}
      const isStopped = new Promise<void>((resolve) => {
        stopped = resolve
      })
      const core = startEngineCore({
        ...{ clock, random: systemRandom },
        report: (report) => onReport(parseEngineReport(structuredClone(report), 'engine here')),
        onStopped: () => {
          stopped()
          onEnd('stopped')
        },
      })
      queueMicrotask(() => onReport({ kind: 'ready' }))
      const obey = (command: unknown, connection?: unknown) => core.obey(parseCommand(command, 'here'), connection)
      return {
        send: (command) => obey(structuredClone(command)),
        take: (caller) => obey({ kind: 'caller' }, caller),
        stop: () => {
          obey({ kind: 'stop' })
          return isStopped
        },
      }
    },
  }
}
