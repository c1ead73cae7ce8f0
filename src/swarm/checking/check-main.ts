// The program of a checking process: gets one job over IPC, answers, and ends. It ends with its
// parent, too.

import { type StdioOptions, spawn } from 'node:child_process'
import { constants as flags } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { systemClock } from '../../world/clock.ts'
import { type CheckJob, checkedPieces, parseCheckJob } from './checker.ts'

const send = process.send?.bind(process)
if (send === undefined) throw new Error('a check is started by the daemon')

process.on('disconnect', () => process.exit(0))
process.once('message', (message) => {
  void checked(parseCheckJob(message, 'check')).then((answer) => send(answer, undefined, {}, () => process.exit(0)))
})

async function checked(job: CheckJob) {
  if (job.isIdle) await giveWay()
  // The engine's user can put anything in the place of a payload.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = flags
  const file = await open(job.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    if (!(await file.stat()).isFile()) throw new Failure('disk', `${job.path} is no file`)
    await forgetCached(file)
    return await checkedPieces(job, (into, position) => read(file, into, position, job.isIdle))
  } finally {
    await file.close()
  }
}

/** The last to get the processor and the disk. */
async function giveWay(): Promise<void> {
  setPriority(constants.priority.PRIORITY_LOW)
  await tried('ionice', ['-c', '3', '-p', String(process.pid)])
}

/** What the kernel remembers of a file says nothing about the disk. */
async function forgetCached(file: FileHandle): Promise<void> {
  await tried('dd', ['iflag=nocache', 'count=0', 'status=none'], [file.fd, 'ignore', 'ignore'])
}

/** A machine without the program is checked all the same. */
function tried(program: string, args: readonly string[], stdio: StdioOptions = 'ignore'): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio, timeout: limits.checkHelpMs, killSignal: 'SIGKILL' })
    child.once('error', () => resolve())
    child.once('close', () => resolve())
  })
}

async function read(file: FileHandle, into: Uint8Array, position: number, isIdle: boolean): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, Math.min(stepBytes, into.length - done), position + done)
    if (bytesRead === 0) break
    done += bytesRead
    if (isIdle) await rest((bytesRead / limits.scrubBytesPerSecond) * 1000)
  }
  return done
}

const stepBytes = 1024 * 1024

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve))
}
