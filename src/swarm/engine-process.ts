// The real engine as the control side sees it: a process that gets commands and connections over IPC.

import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Clock, Log } from '../world/world.ts'
import type { Confinement } from './confinement/confinement.ts'
import { type EngineFolders, payloadsInside, startEngineProcess } from './confinement/engine-start.ts'
import { handOver } from './confinement/handing-over.ts'
import { type Command, type Engine, type EngineFactory, type EngineReport, parseEngineReport } from './engine.ts'
import { createOutputLog } from './engine-output.ts'
import { listenForCallers } from './listener.ts'

interface ForkedParts {
  log: Log
  clock: Clock
  confinement: Confinement
  folders: EngineFolders
  /** The program of the engine, which a test may replace. */
  program?: string
}

export interface ForkedEngine extends EngineFactory {
  /** Why the last engine ended before it could do anything; null if it could, or if none was needed. */
  notStarted(): string | null
}

/** Each engine is a child process, which ends when this one does. */
export function forkedEngine(parts: ForkedParts): ForkedEngine {
  const logLine = createOutputLog(parts)
  let notStarted: string | null = null
  return {
    listen: listenForCallers,
    start: ({ onReport, onEnd }) => {
      let isReady = false
      let said = ''
      const options: Options = {
        onLine: (line) => {
          // Before and after the error, Node prints where it was thrown, and by which version.
          if (said === '' && /^\w*Error\b/.test(line)) said = line.slice(0, limits.textMaxChars)
          logLine(line)
        },
        onReport: (report) => {
          if (report.kind === 'ready') {
            isReady = true
            notStarted = null
          }
          onReport(report)
        },
        onEnd: (because) => {
          if (!isReady) notStarted = said === '' ? because : `${because}: ${said}`
          onEnd(because)
        },
      }
      try {
        return start(options, parts)
      } catch (error) {
        return endedEngine(options, parts.clock, messageOf(error))
      }
    },
    notStarted: () => notStarted,
  }
}

interface Options {
  onReport: (report: EngineReport) => void
  onEnd: (because: string) => void
  onLine: (line: string) => void
}

function start(
  { onReport, onEnd, onLine }: Options,
  { log, clock, confinement, folders, program }: ForkedParts,
): Engine {
  const child = startEngineProcess(confinement, folders, program)
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', onLine)
  }
  log.debug('engine started', { pid: child.pid })
  const ended = endOf(child, clock)
  ended.then(onEnd)
  child.on('message', (message, handle) => {
    const report = handle === undefined ? reportIn(message) : 'it sends a connection'
    if (typeof report !== 'string') return onReport(report)
    // Somebody else speaks in its place. Nothing more of that is heard.
    log.error('engine is not itself', { because: report })
    child.removeAllListeners('message')
    child.kill('SIGKILL')
  })
  const failed = (error: Error | null) => {
    if (error !== null) log.debug('engine not reached', { error: messageOf(error) })
  }
  return {
    send: (command) => {
      if (!child.connected) return
      try {
        child.send(commandFor(command, confinement, folders), failed)
      } catch (error) {
        if (command.kind !== 'open') throw error
        const { infoHash } = command.opening
        queueMicrotask(() => {
          onReport({ kind: 'failed', infoHash, because: messageOf(error) })
          onReport({ kind: 'closed', infoHash })
        })
      }
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

/** Why it is no report, if it is none. */
function reportIn(message: unknown): EngineReport | string {
  try {
    return parseEngineReport(message, 'swarm engine')
  } catch (error) {
    return messageOf(error)
  }
}

/** Stands for a process that the system did not start. */
function endedEngine({ onEnd }: Options, clock: Clock, because: string): Engine {
  const ended = new Promise<void>((resolve) => {
    clock.after(0, () => {
      onEnd(because)
      resolve()
    })
  })
  return { send: () => {}, take: (caller) => caller.destroy(), stop: () => ended }
}

/**
 * The engine sees the folder of the payloads at a path of its own. The file that it is going to write
 * to becomes its own, whoever wrote to it before.
 */
function commandFor(command: Command, confinement: Confinement, { store }: EngineFolders): Command {
  if (command.kind !== 'open') return command
  const { opening } = command
  if (opening.folder !== store) throw new TypeError(`the engine has ${store} open, and not ${opening.folder}`)
  if (confinement.kind === 'other-user') handOver(opening, store, confinement.user)
  return { ...command, opening: { ...opening, folder: payloadsInside } }
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
