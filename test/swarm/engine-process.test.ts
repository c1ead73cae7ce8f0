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

t.test('one that does not start, or says what no engine says, has ended, and why is told', async (t) => {
  const folder = t.testdir({
    'broken.mjs': 'throw new Error("no such library")',
    'taken.mjs': 'process.on("disconnect", () => process.exit()); process.send({ kind: "open the door" })',
    store: {},
  })
  const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const confinement = { kind: 'own-user', way: { kind: 'call', because: '' } } as const
  const endOf = async (program: string, store = `${folder}/store`) => {
    const folders = { store, cache: `${folder}/cache` }
    const factory = forkedEngine({ log, clock: systemClock, confinement, folders, program: `${folder}/${program}` })
    const alive = setInterval(() => {}, 60_000)
    const because = await new Promise<string>((onEnd) => factory.start({ onReport: () => {}, onEnd }))
    clearInterval(alive)
    return { because, told: factory.notStarted() }
  }
  t.match(await endOf('broken.mjs'), { because: 'exit code 1', told: 'exit code 1: Error: no such library' })
  t.match(await endOf('taken.mjs'), { because: 'signal SIGKILL' })
  t.match(await endOf('taken.mjs', `${folder}/gone`), { because: /ENOENT/, told: /ENOENT/ })
})
