// The real engine as the control side sees it: a forked process that gets commands and connections
// over IPC.

import { type ChildProcess, fork } from 'node:child_process'
import { Socket } from 'node:net'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Clock, Log } from '../world/world.ts'
import { type Engine, type EngineFactory, parseEngineReport } from './engine.ts'
import { createOutputLog } from './engine-output.ts'
import { listenForCallers } from './listener.ts'

/** Each engine is a child process, which ends when this one does. */
export function forkedEngine({ log, clock }: { log: Log; clock: Clock }): EngineFactory {
  const logLine = createOutputLog({ log, clock })
  return { listen: listenForCallers, start: (options) => start(options, log, clock, logLine) }
}

function start(
  { onReport, onEnd }: Parameters<EngineFactory['start']>[0],
  log: Log,
  clock: Clock,
  logLine: (line: string) => void,
): Engine {
  const main = join(import.meta.dirname, `engine-main${extname(import.meta.filename)}`)
  const child = fork(main, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Objects of JavaScript alone; the engine watches the rest itself (memory-watch.ts).
    execArgv: [`--max-old-space-size=${limits.engineMemoryMaxBytes / 2 ** 21}`],
    env: environment(),
  })
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', logLine)
  }
  log.debug('engine started', { pid: child.pid })
  const ended = endOf(child, clock)
  ended.then(onEnd)
  child.on('message', (message) => onReport(parseEngineReport(message, 'swarm engine')))
  const failed = (error: Error | null) => {
    if (error !== null) log.debug('engine not reached', { error: messageOf(error) })
  }
  return {
    send: (command) => {
      if (child.connected) child.send(command, failed)
    },
    take: (caller, way) => {
      if (!(caller instanceof Socket)) throw new TypeError('the engine process takes sockets only')
      if (!child.connected || caller.destroyed) {
        caller.destroy()
        return
      }
      child.send({ kind: way === 'plain' ? 'plain-caller' : 'caller' }, caller, { keepOpen: false }, (error) => {
        failed(error)
        if (error !== null) caller.destroy()
      })
    },
    stop: async () => {
      if (child.connected) child.send({ kind: 'stop' }, failed)
      const timer = clock.after(limits.engineStopMs, () => child.kill('SIGKILL'))
      await ended
      timer.cancel()
    },
  }
}

/**
 * Resolves with the reason once the process has ended and its last report is in: the channel may
 * still hold reports when the process is gone. A process that dies while a connection is on its way
 * to it leaves a channel that never closes. So the wait for the channel ends after
 * limits.engineFarewellMs.
 */
function endOf(child: ChildProcess, clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const because = signal === null ? `exit code ${code}` : `signal ${signal}`
      if (!child.connected) return resolve(because)
      const timer = clock.after(limits.engineFarewellMs, () => resolve(because))
      child.once('disconnect', () => {
        timer.cancel()
        resolve(because)
      })
    })
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(messageOf(error))
    })
  })
}

/**
 * Settings of glibc's malloc. Freed memory is used again and not returned to the kernel: blocks
 * come and go all the time, and the first touch of a new page costs more than writing the block.
 * The engine ends when it is idle.
 */
const keptMemory = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(64 * 1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(128 * 1024 * 1024),
}

/**
 * The variables that Node itself needs. The engine sees nothing else of the daemon's environment.
 */
function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...keptMemory }
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE']) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  return env
}
