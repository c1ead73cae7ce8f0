import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { startPlainEndpoint } from '../../src/node/plain.ts'
import { createSimulation } from '../world/simulation.ts'

const infoHash = 'ab'.repeat(20)
const query = `info_hash=${'%ab'.repeat(20)}&port=51413&left=1&compact=1`
const named = new Set(['a'.repeat(64)])

/** On real ports, beside a node that is none. */
async function endpoint(plain: Record<string, unknown> = {}) {
  const { world } = createSimulation({ seed: 'plain' }).node({ address: '10.0.0.1' })
  const told: ReadonlySet<string>[] = []
  const ports = { open: 0 }
  let revision: { named: ReadonlySet<string> } | null = null
  let changed = () => {}
  const node = {
    state: () => ({ revision }),
    onChange: (listener: () => void) => {
      changed = listener
      return () => {}
    },
    swarm: {
      plain: {
        listen: async () => {
          ports.open += 1
          return {
            port: 6881,
            close: async () => {
              ports.open -= 1
            },
          }
        },
        setNamed: (manifests: ReadonlySet<string>) => told.push(manifests),
        gives: (wanted: string) => wanted === infoHash,
      },
    },
  } as unknown as Parameters<typeof startPlainEndpoint>[0]['node']
  const settings = { listen: '127.0.0.1', plain: { announcePort: 0, swarmPort: 0, ...plain } }
  const open = () => startPlainEndpoint({ settings, node, clock: world.clock, log: world.log })
  const release = () => {
    revision = { named }
    changed()
  }
  return { open, told, ports, release, changed: () => changed() }
}

t.test('clients ask over HTTP and are told of the plain port', async (t) => {
  const { open } = await endpoint()
  const { announceUrl, stop } = await open()
  t.teardown(stop)
  const ask = async (url: string, options: RequestInit = {}) => {
    const response = await fetch(url, options)
    return `${response.status} ${Buffer.from(await response.arrayBuffer()).toString('latin1')}`
  }
  const peer = String.fromCharCode(127, 0, 0, 1, 0x1a, 0xe1)
  const answer = await ask(`${announceUrl}?${query}`)
  t.ok(answer.startsWith('200 d8:completei1e') && answer.endsWith(`5:peers6:${peer}e`))
  t.match(await ask(`${announceUrl}?port=1`), /^200 d14:failure reason\d+:announce: info_hash: expected 20 bytese$/)
  t.match(await ask(`${announceUrl}?${query.replaceAll('ab', 'cd')}`), /^200 d14:failure reason/)
  t.equal(await ask(announceUrl.replace('announce', 'scrape')), '404 ')
  t.equal(await ask(announceUrl, { method: 'POST', body: 'x' }), '405 ')
  t.match(await ask(`${announceUrl}?${'x'.repeat(3 * limits.plainQueryMaxChars)}`), /^431 /)
})

t.test('one address has so many connections at a time, and others have theirs', async (t) => {
  const { open } = await endpoint()
  const { announceUrl, stop } = await open()
  const { port } = new URL(announceUrl)
  const sockets: Socket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await stop()
  })
  /** What it is answered; nothing if it is hung up on. */
  const asks = async (localAddress: string) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress })
    sockets.push(socket)
    let answer = ''
    socket.on('data', (bytes) => {
      answer += bytes
    })
    socket.on('error', () => {})
    socket.write(`GET /announce?${query} HTTP/1.1\r\nhost: a\r\n\r\n`)
    await new Promise((resolve) => socket.once('close', resolve))
    return answer.slice(0, 15)
  }
  for (let count = 0; count < limits.plainAnnouncesOfAddressMax; count += 1) {
    const idle = connect({ port: Number(port), host: '127.0.0.1', localAddress: '127.0.0.2' })
    idle.on('error', () => {})
    sockets.push(idle)
    await once(idle, 'connect')
  }
  t.equal(await asks('127.0.0.2'), '')
  t.equal(await asks('127.0.0.3'), 'HTTP/1.1 200 OK')
  sockets[0]?.destroy()
  let answer = ''
  while (answer === '') answer = await asks('127.0.0.2')
  t.equal(answer, 'HTTP/1.1 200 OK', 'and its own when one ends')
})

t.test('what may be given follows the trusted revision, and ends with the endpoint', async (t) => {
  const { open, told, ports, release, changed } = await endpoint()
  const { stop } = await open()
  t.same(told, [], 'nothing before there is one')
  release()
  changed()
  t.same(told, [named], 'told once')
  await stop()
  t.same(told, [named, new Set()])
  t.equal(ports.open, 0)
})

t.test('where a port is taken, neither is open', async (t) => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const { open, ports } = await endpoint({ announcePort: port })
  await t.rejects(open(), { code: 'conflict', message: `port ${port} at 127.0.0.1 is taken` })
  t.equal(ports.open, 0)
})

t.test('torrents name the node as its settings say', async (t) => {
  const { open } = await endpoint({ address: 'staging.berlin.example' })
  const { announceUrl, stop } = await open()
  t.match(announceUrl, /^http:\/\/staging\.berlin\.example:\d+\/announce$/)
  await stop()
})
