// The engine's process as the control side sees it.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import t from 'tap'
import { forkedEngine } from '../../src/swarm/engine-process.ts'
import { systemClock } from '../../src/world/clock.ts'
import type { Log } from '../../src/world/world.ts'

t.test('one that dies while a connection is on its way to it has ended all the same', async (t) => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const connection = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1')
  connection.on('error', () => {})
  const [caller] = await once(server, 'connection')
  t.teardown(() => {
    connection.destroy()
    server.close()
  })
  const folder = t.testdir()
  const folders = { store: folder, cache: `${folder}/cache` }
  const confinement = { kind: 'own-user', way: { kind: 'call', because: '' } } as const
  let pid = 0
  const debug = (_: string, fields: Record<string, unknown> = {}) => {
    if (typeof fields['pid'] === 'number') pid = fields['pid']
  }
  const log: Log = { debug, info: () => {}, warn: () => {}, error: () => {} }
  const ended = new Promise((resolve) => {
    const engine = forkedEngine({ log, clock: systemClock, confinement, folders }).start({
      onReport: () => {},
      onEnd: resolve,
    })
    // It is not yet there to take it.
    engine.take(caller, 'swarm')
    process.kill(pid, 'SIGKILL')
  })
  t.equal(await ended, 'signal SIGKILL')
})
