// The process that prepares one package. It ends with its parent, and once it has said what became
// of the package.

import { Failure, messageOf } from '../../model/failure.ts'
import { systemDisk } from '../../world/disk.ts'
import { systemExec } from '../../world/exec.ts'
import { prepareHere } from './preparing.ts'
import type { Asked, Said } from './preparing-process.ts'

const stop = new AbortController()
process.on('disconnect', () => process.exit(1))
process.once('message', (asked: Asked) => {
  process.on('message', () => stop.abort())
  void prepare(asked)
})

async function prepare(asked: Asked): Promise<void> {
  const onProgress = (progress: Extract<Said, { kind: 'progress' }>['progress']) => say({ kind: 'progress', progress })
  try {
    const ready = await prepareHere({ disk: systemDisk, exec: systemExec })({
      ...asked,
      onProgress,
      signal: stop.signal,
    })
    say({ kind: 'ready', ready }, () => process.exit(0))
  } catch (error) {
    const { code, message, retry, hint } =
      error instanceof Failure ? error : new Failure('program-failed', `${asked.path}: ${messageOf(error)}`)
    say({ kind: 'failed', failure: { code, message, retry, hint } }, () => process.exit(1))
  }
}

function say(said: Said, then: () => void = () => {}): void {
  if (process.connected) process.send?.(said, undefined, undefined, then)
}
