// The main file of the engine's process: receives commands and connections over IPC, and sends
// reports. The process ends when its parent does.

import module from 'node:module'
import { systemClock } from '../world/clock.ts'
import { systemRandom } from '../world/random.ts'
import { leaveOutWaysOut } from './engine/left-out.ts'
import { type EngineReport, parseCommand } from './engine.ts'

const send = process.send?.bind(process)
if (send === undefined) throw new Error('the swarm engine is started by the daemon')

const report = (message: EngineReport) => {
  if (process.connected) send(message, undefined, {}, () => {})
}
leaveOutWaysOut()
const { endAfterTelling, watchMemory } = await import('./engine/memory-watch.ts')
const { startEngineCore } = await import('./engine/core.ts')
const end = (last: EngineReport, code: number) =>
  endAfterTelling({
    clock: systemClock,
    tell: (told) => send(last, undefined, {}, told),
    end: () => process.exit(code),
  })
const core = startEngineCore({
  clock: systemClock,
  random: systemRandom,
  report,
  onStopped: () => {
    // Messages leave in order: once this one has been sent, all before it have.
    end({ kind: 'note', message: 'stopped', about: '' }, 0)
  },
})
process.on('disconnect', () => process.exit(0))
process.on('message', (message, connection) => core.obey(parseCommand(message, 'swarm engine command'), connection))
watchMemory({
  clock: systemClock,
  residentBytes: () => process.memoryUsage.rss(),
  onTooMuch: (bytes) => {
    // What is written and recorded stays; the control side starts the next engine.
    const about = `${Math.round(bytes / 2 ** 20)} MiB`
    end({ kind: 'note', message: 'too much memory', about }, 1)
  },
})
report({ kind: 'ready' })
module.flushCompileCache()
