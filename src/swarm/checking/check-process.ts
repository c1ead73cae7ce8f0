// The real checker: a process for each check, which reads and hashes beside the daemon.

import { fork } from 'node:child_process'
import { extname, join } from 'node:path'
import { Failure } from '../../model/failure.ts'
import { type Checked, type PayloadChecker, parseChecked } from './checker.ts'

/** A check ends with this process. */
export function forkedChecker(): PayloadChecker {
  return {
    check: (job) =>
      new Promise<Checked>((resolve, reject) => {
        const main = join(import.meta.dirname, `check-main${extname(import.meta.filename)}`)
        const child = fork(main, [], {
          serialization: 'advanced',
          stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
          execArgv: [],
        })
        child.once('message', (message) => resolve(parseChecked(message, 'check')))
        child.once('error', (error) => reject(failedCheck(error.message)))
        child.once('exit', (code, signal) => reject(failedCheck(signal ?? `exit code ${code}`)))
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
