// The real checker: a process for each check, which reads and hashes beside the daemon.

import { fork } from 'node:child_process'
import { extname, join } from 'node:path'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Clock } from '../../world/world.ts'
import { type Checked, type PayloadChecker, parseCheckSaid } from './checker.ts'

/** A check ends with this process, and is given up if it reads nothing for `limits.checkSilentMs`. */
export function forkedChecker({ clock }: { clock: Pick<Clock, 'after'> }): PayloadChecker {
  return {
    check: (job) =>
      new Promise<Checked>((resolve, reject) => {
        const main = join(import.meta.dirname, `check-main${extname(import.meta.filename)}`)
        const child = fork(main, [], {
          serialization: 'advanced',
          stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
          execArgv: [],
        })
        const giveUp = () => {
          // A process that waits for the disk may take the signal much later.
          child.kill('SIGKILL')
          reject(failedCheck('the disk gives nothing'))
        }
        let silence = clock.after(limits.checkSilentMs, giveUp)
        child.on('message', (message) => {
          silence.cancel()
          const said = parseCheckSaid(message, 'check')
          if ('wrong' in said) resolve(said)
          else silence = clock.after(limits.checkSilentMs, giveUp)
        })
        child.once('error', (error) => reject(failedCheck(error.message)))
        child.once('exit', (code, signal) => {
          silence.cancel()
          reject(failedCheck(signal ?? `exit code ${code}`))
        })
        child.send(job, (error) => {
          if (error !== null) reject(failedCheck(error.message))
        })
        child.unref()
        child.channel?.unref()
      }),
  }
}

function failedCheck(because: string): Failure {
  return new Failure('disk', `the payload could not be checked: ${because}`, { retry: 'later' })
}
