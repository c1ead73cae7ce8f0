// The daemon as a process: its arguments, its signals and the line `ready`. `banyan node` executes
// this program in its place.

import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { shownOf } from '../model/line.ts'
import { openWorld } from '../world/real-world.ts'
import { startRealNode } from './real-node.ts'
import { homeAt } from './setup/home.ts'
import { processLog } from './setup/process-log.ts'
import { createSupervisor } from './supervisor.ts'

const [flag, dir] = process.argv.slice(2)
if (flag !== '--home' || dir === undefined) {
  process.stderr.write('error: expected --home DIR\n')
  process.exit(2)
}

const log = processLog('info')
const world = openWorld({ log })
const supervisor = createSupervisor({ env: process.env, exec: world.exec, clock: world.clock, log })

process.on('unhandledRejection', (reason) => {
  log.error('unhandled rejection', { error: messageOf(reason), stack: reason instanceof Error ? reason.stack : '' })
})

try {
  const home = homeAt(dir)
  const restart = () => {
    log.info('starting anew', { because: 'the node has another identity' })
    node = node
      .then((running) => running.stop())
      .then(() => startRealNode({ world, home, onIdentity: restart }))
      .catch((error) => {
        log.error('did not start anew', { error: messageOf(error) })
        process.exit(1)
      })
  }
  let node = startRealNode({ world, home, onIdentity: restart })
  const first = await node
  let stopping = false
  const stop = (signal: string) => {
    if (stopping) return
    stopping = true
    log.info('stopping', { signal })
    // Whatever has to survive is saved at once and not at the end, so a part that hangs may be cut
    // off.
    const patience = setTimeout(() => {
      log.error('did not stop in time', { ms: limits.stopMs })
      // An ordinary exit waits for reads that never return.
      process.kill(process.pid, 'SIGKILL')
    }, limits.stopMs - 500)
    Promise.all([node.then((running) => running.stop()), supervisor.stopping()]).then(
      () => {
        clearTimeout(patience)
        process.exit(0)
      },
      (error) => {
        log.error('did not stop cleanly', { error: messageOf(error) })
        process.exit(1)
      },
    )
  }
  process.on('SIGHUP', () => {
    node
      .then((running) => running.reload())
      .catch((error) => log.error('settings not reloaded', { error: messageOf(error) }))
  })
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  await supervisor.ready(`node ${first.name}, control ${first.controlPort}, swarm ${first.swarmPort}`)
  process.stdout.write(`ready ${first.name} control ${first.controlPort} swarm ${first.swarmPort}\n`)
} catch (error) {
  process.stderr.write(`error: ${shownOf(messageOf(error))}\n`)
  if (error instanceof Failure && error.hint !== undefined) process.stderr.write(`hint: ${shownOf(error.hint)}\n`)
  if (!(error instanceof Failure) && error instanceof Error) process.stderr.write(`${shownOf(error.stack ?? '')}\n`)
  process.exit(1)
}
