// What the daemon tells systemd.

import t from 'tap'
import { createSupervisor } from '../../src/node/supervisor.ts'
import { createSimulation } from '../world/simulation.ts'

function supervised(env: Record<string, string>, code = 0) {
  const simulation = createSimulation({ seed: 'supervised' })
  const { world, lines } = simulation.node({ address: '10.0.0.1', site: 'main' })
  const said: string[] = []
  const exec = {
    run: async (run: { args: readonly string[]; env?: Readonly<Record<string, string>> }) => {
      said.push(`${run.env?.['NOTIFY_SOCKET']} ${run.args.join(' ')}`)
      return { code, signal: null, timedOut: false, stdout: '', stderr: 'no such socket' }
    },
  }
  return { simulation, said, lines, supervisor: createSupervisor({ env, exec, clock: world.clock, log: world.log }) }
}

t.test('ready is said once, and life three times in a period until it stops', async (t) => {
  const { simulation, said, supervisor } = supervised({ NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '60000000' })
  await supervisor.ready('node shop-1')
  await simulation.run({ forMs: 60_000 })
  t.strictSame(said, ['/run/n --ready --status=node shop-1', ...Array(4).fill('/run/n WATCHDOG=1')])
  await supervisor.stopping()
  await simulation.run({ forMs: 60_000 })
  t.strictSame(said.slice(5), ['/run/n STOPPING=1'])
})

t.test('without systemd nothing is said, and without a watchdog no life', async (t) => {
  const alone = supervised({ WATCHDOG_USEC: '60000000' })
  await alone.supervisor.ready('')
  await alone.simulation.run({ forMs: 60_000 })
  t.strictSame(alone.said, [])
  const unwatched = supervised({ NOTIFY_SOCKET: '/run/n' })
  await unwatched.supervisor.ready('')
  await unwatched.simulation.run({ forMs: 60_000 })
  t.equal(unwatched.said.length, 1)
})

t.test('a systemd that cannot be told stops no daemon', async (t) => {
  const { lines, supervisor } = supervised({ NOTIFY_SOCKET: '/run/n' }, 1)
  await supervisor.ready('')
  t.match(lines.join('\n'), /systemd was not told/)
})
