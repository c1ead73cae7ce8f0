// The real engine as the control side sees it: a forked process that gets commands and connections
// over IPC.

import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Clock, Log } from '../world/world.ts'
import type { Confinement } from './confinement/confinement.ts'
import { type EngineFolders, handOver, payloadsForEngine, startEngineProcess } from './confinement/engine-start.ts'
import { type Command, type Engine, type EngineFactory, parseEngineReport } from './engine.ts'
import { createOutputLog } from './engine-output.ts'
import { listenForCallers } from './listener.ts'

interface ForkedParts {
  log: Log
  clock: Clock
  confinement: Confinement
  folders: EngineFolders
}

/** Each engine is a child process, which ends when this one does. */
export function forkedEngine(parts: ForkedParts): EngineFactory {
  const logLine = createOutputLog(parts)
  return { listen: listenForCallers, start: (options) => start(options, parts, logLine) }
}

function start(
  { onReport, onEnd }: Parameters<EngineFactory['start']>[0],
  { log, clock, confinement, folders }: ForkedParts,
  logLine: (line: string) => void,
): Engine {
  const child = startEngineProcess(confinement, folders)
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
      if (child.connected) child.send(commandFor(command, confinement, folders), failed)
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
 * The engine sees the folder of the payloads at a path of its own. The file that it is going to write
 * to becomes its own, whoever wrote to it before.
 */
function commandFor(command: Command, confinement: Confinement, { store }: EngineFolders): Command {
  if (command.kind !== 'open') return command
  const { opening } = command
  if (opening.folder !== store) throw new TypeError(`the engine has ${store} open, and not ${opening.folder}`)
  if (confinement.kind === 'other-user') handOver(join(store, `${opening.infoHash}.part`), confinement.user)
  return { ...command, opening: { ...opening, folder: payloadsForEngine() } }
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
