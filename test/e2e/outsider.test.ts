// Who is not a node of this fleet gets nothing from either port of a running daemon, however he
// tries.

import { readFile } from 'node:fs/promises'
import { connect as connectTcp, type NetConnectOpts } from 'node:net'
import path from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { type Authority, createAuthorityCertificate, createNodeCertificate } from '../../src/trust/certificates.ts'
import { loadIdentity, tlsIdentityOf } from '../../src/trust/identity.ts'
import { privateKeyFrom, privateKeyFromPem, seedBytes } from '../../src/trust/keys.ts'
import { enrolmentTls, parseToken } from '../../src/trust/token.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemRandom } from '../../src/world/random.ts'
import type { TlsIdentity } from '../../src/world/world.ts'
import { type RealTree, realTree } from './real-tree.ts'

const dayMs = 24 * 3600_000

interface Scene {
  tree: RealTree
  control: number
  swarm: number
  /** Of a package that the root holds. */
  infoHash: string
  fleet: Authority
}

interface Answer {
  /** Bytes that came through TLS. */
  got: Buffer
  /** Why it ended. */
  end: string
}

t.setTimeout(280_000)

t.test('outsiders', { timeout: 90_000 }, async (t) => {
  const scene = await sceneFor(t)
  const { tree, control, swarm, fleet } = scene
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  const friend = await tree.plant({ name: 'friend', site: 'berlin', parent: 'root', token, run: false })
  const friendly = (await loadIdentity(path.join(friend.home, 'keys'), systemDisk)).tls
  const enrolment = enrolmentTls(parseToken(token, Date.now()))

  await t.test('a node of the fleet is answered at both ports, so these questions would be', async (t) => {
    const { got } = await askControl(control, friendly, '127.0.0.2')
    t.match(got.toString(), /^HTTP\/1\.1 200 OK\r\n/)
    t.match(got.toString(), '"_type":"timestamp"')
    const greeting = (await askSwarm(scene, friendly, '127.0.0.2')).got
    t.equal(greeting.subarray(1, 20).toString(), 'BitTorrent protocol')
  })

  const strangers: [who: string, make: () => Promise<TlsIdentity | null>, because: RegExp][] = [
    ['without a certificate', async () => null, /PEER_DID_NOT_RETURN_A_CERTIFICATE/],
    [
      'with a certificate of another authority that calls itself by the same name',
      () => certificateOf(scene, { authority: { fleet: fleet.fleet } }),
      /CERT|SIGNATURE/i,
    ],
    [
      'with a certificate of the fleet that is not valid yet',
      () => certificateOf(scene, { authority: fleet, now: Date.now() + dayMs }),
      /CERT_NOT_YET_VALID/,
    ],
    ['with a certificate of another fleet', () => otherFleet(tree), /CERT|SIGNATURE/i],
    [
      'with a certificate that a node of the fleet issued',
      async () => {
        const node = await loadIdentity(path.join(friend.home, 'keys'), systemDisk)
        const authority = { fleet: 'friend', certificate: node.certificateDer, privateKey: node.privateKey }
        const tls = await certificateOf(scene, { authority })
        return { ...tls, certificate: tls.certificate + node.tls.certificate }
      },
      /UNSPECIFIED|CA|CERT/,
    ],
  ]
  for (const [index, [who, make, because]] of strangers.entries()) {
    const address = `127.0.0.${10 + index}`
    await t.test(`somebody ${who} gets nothing`, async (t) => {
      const tls = await make()
      const atControl = await askControl(control, tls, address)
      t.equal(atControl.got.length, 0, `the control port says not a byte of HTTP (${atControl.end})`)
      await logged(t, tree, address, 'control port', because)
      const atSwarm = await askSwarm(scene, tls, address)
      t.equal(atSwarm.got.length, 0, `the swarm port says not a byte of BitTorrent (${atSwarm.end})`)
      await logged(t, tree, address, 'swarm port', because)
    })
  }

  await t.test('somebody who merely has a token may ask to be let in, and nothing else', async (t) => {
    const digest = await revisionDigest(tree)
    const calls: [method: 'GET' | 'POST', path: string][] = [
      ['GET', '/v1/tuf/timestamp.json'],
      ['GET', '/v1/tuf/1.root.json'],
      ['GET', '/v1/watch?timestamp=0'],
      ['GET', `/v1/objects/${digest}`],
      ['POST', '/v1/announce'],
      ['POST', '/v1/reports'],
      ['GET', '/v1/enrol'],
      ['GET', '/'],
      ['GET', '/v1/enrol/../tuf/timestamp.json'],
    ]
    for (const [method, path] of calls) {
      const { got } = await askControl(control, enrolment, '127.0.0.20', method, path)
      // A body is not even read, so there is nothing to say about it.
      const refusal = method === 'POST' ? /^HTTP\/1\.1 413 / : /^HTTP\/1\.1 403 .*is good for \/v1\/enrol only/s
      t.match(got.toString(), refusal, `${method} ${path}`)
      t.notMatch(got.toString(), /signed|rules|timestamp\.json/)
    }
    const { got } = await askControl(control, enrolment, '127.0.0.20', 'POST', '/v1/enrol')
    t.match(got.toString(), /^HTTP\/1\.1 403 /, 'what he asks there has to be a request')
    t.match(got.toString(), '"code":"bad-input"')
    t.equal((await askSwarm(scene, enrolment, '127.0.0.20')).got.length, 0, 'the swarm port says not a byte')
    await logged(t, tree, '127.0.0.20', 'swarm port', /CERT|PURPOSE|enrol|token/i)
  })

  await t.test('somebody with a certificate of the fleet that has expired may ask for its renewal only', async (t) => {
    const old = { authority: fleet, now: Date.now() - 2 * limits.certificateLifetimeMs }
    const tls = await certificateOf(scene, old)
    const calls: ['GET' | 'POST', string][] = [
      ['GET', '/v1/tuf/timestamp.json'],
      ['GET', '/v1/watch?timestamp=0'],
      ['POST', '/v1/announce'],
      ['GET', '/v1/enrol/../tuf/timestamp.json'],
    ]
    for (const [method, path] of calls) {
      const { got } = await askControl(control, tls, '127.0.0.21', method, path)
      t.match(got.toString(), /^HTTP\/1\.1 403 .*has ended/s, `${method} ${path}`)
      t.notMatch(got.toString(), /signed|rules|timestamp\.json/)
    }
    const { got } = await askControl(control, tls, '127.0.0.21', 'POST', '/v1/enrol')
    t.match(got.toString(), /^HTTP\/1\.1 403 .*"code":"bad-input"/s, 'what he asks there has to be a request')
    t.equal((await askSwarm(scene, tls, '127.0.0.21')).got.length, 0, 'the swarm port says not a byte')
    await logged(t, tree, '127.0.0.21', 'swarm port', /CERT_HAS_EXPIRED/)
  })

  await t.test('nobody answers in another protocol', async (t) => {
    const hello = Buffer.concat([
      Buffer.from('\x13BitTorrent protocol'),
      Buffer.alloc(8),
      Buffer.from(scene.infoHash, 'hex'),
      Buffer.alloc(20, 1),
    ])
    const said: [what: string, bytes: Buffer][] = [
      ['plain HTTP', Buffer.from('GET /v1/tuf/timestamp.json HTTP/1.1\r\nhost: root\r\n\r\n')],
      ['plain BitTorrent', hello],
      ['zeros', Buffer.alloc(4096)],
      ['a TLS record that never ends', Buffer.concat([Buffer.from('1603010200', 'hex'), Buffer.alloc(16, 1)])],
    ]
    let last = 30
    for (const [what, bytes] of said) {
      for (const port of [control, swarm]) {
        last += 1
        const got = await askPlainly(port, `127.0.0.${last}`, bytes)
        // A TLS alert says that it was no TLS.
        t.ok(got.length === 0 || (got[0] === 0x15 && got.length === 7), `${what}: ${got.toString('hex')}`)
      }
    }
    await logged(t, tree, '127.0.0.31', 'control port', /ERR_SSL_HTTP_REQUEST/)
    await logged(t, tree, '127.0.0.32', 'swarm port', /ERR_SSL_HTTP_REQUEST/)
    await logged(t, tree, '127.0.0.33', 'control port', /ERR_SSL_/)
    await logged(t, tree, '127.0.0.34', 'swarm port', /ERR_SSL_/)
    for (const options of [{ ALPNProtocols: ['h2'] }, { maxVersion: 'TLSv1.2' }] as const) {
      const { got } = await askTls({
        port: control,
        tls: friendly,
        address: '127.0.0.2',
        say: 'GET / HTTP/1.1\r\n\r\n',
        options,
      })
      t.equal(got.length, 0, `a node of the fleet that speaks ${JSON.stringify(options)} gets nothing either`)
    }
  })

  await t.test('somebody who knocks all the time is told of once', async (t) => {
    const address = '127.0.0.60'
    const knocks = 120
    for (let round = 0; round < knocks / 20; round += 1) {
      const at = (port: number) => askPlainly(port, address, Buffer.from('knock\r\n\r\n'))
      await Promise.all(Array.from({ length: 10 }, () => [at(control), at(swarm)]).flat())
    }
    await logged(t, tree, address, 'control port', /./)
    await logged(t, tree, address, 'swarm port', /./)
    const lines = tree.log('root').filter((line) => line.includes(address))
    t.equal(lines.length, 2, `${knocks} knocks, one line for each port`)
  })

  await t.test('the root has gone on all the time', async (t) => {
    t.match(await tree.ask('root', '/status'), { self: { node: 'root' } })
    t.match((await askControl(control, friendly, '127.0.0.2')).got.toString(), /^HTTP\/1\.1 200 /)
    const { attacks } = await tree.report('root')
    t.ok(attacks.length > 0 && attacks.length <= limits.attacksKept, 'and its report names the newest strangers')
    t.same([...new Set(attacks.map(({ kind }) => kind))], ['stranger'])
  })
})

async function sceneFor(t: Test): Promise<Scene> {
  const tree = await realTree(t)
  await tree.publish('atlas', '1.0', { heights: Buffer.alloc(limits.swarmThresholdBytes + 1, 7) })
  await tree.release('rules: []\n')
  const [{ payload }] = JSON.parse(await tree.must('root', 'package', 'atlas', '--json'))
  const root = tree.nodes.get('root')
  const fleetFolder = path.join(root?.home ?? '', 'fleet')
  const pem = (file: string) => readFile(path.join(fleetFolder, file), 'utf8')
  const ca = (await pem('ca.crt.pem')).replaceAll(/-----.*-----|\s/g, '')
  const swarm = /swarm (\d+)/.exec(tree.log('root').find((line) => line.startsWith('ready')) ?? '')?.[1]
  return {
    tree,
    control: Number(new URL(root?.controlUrl ?? '').port),
    swarm: Number(swarm),
    infoHash: payload.infoHash,
    fleet: {
      fleet: 'Fleet-root',
      certificate: Buffer.from(ca, 'base64'),
      privateKey: privateKeyFromPem(await pem('keys/ca.key.pem'), 'ca'),
    },
  }
}

/** A key and a node certificate for `mallory`, by this authority or by a new one of that name. */
async function certificateOf(
  scene: Scene,
  options: { authority: Authority | Pick<Authority, 'fleet'>; now?: number },
): Promise<TlsIdentity> {
  const { now = Date.now() } = options
  const making = { now, random: systemRandom }
  const newKey = () => privateKeyFrom(systemRandom.bytes(seedBytes))
  const authorityOf = async ({ fleet }: Pick<Authority, 'fleet'>): Promise<Authority> => {
    const privateKey = newKey()
    return { fleet, privateKey, certificate: await createAuthorityCertificate({ fleet, privateKey }, making) }
  }
  const authority = 'certificate' in options.authority ? options.authority : await authorityOf(options.authority)
  const key = newKey()
  const certificate = await createNodeCertificate({ authority, name: 'mallory', publicKey: key }, making)
  return tlsIdentityOf(key, certificate, scene.fleet.certificate)
}

/** The root of a fleet of its own, which has the same name. */
async function otherFleet(tree: RealTree): Promise<TlsIdentity> {
  const home = path.join(tree.folder, 'other-fleet')
  const { code, stderr } = await tree.banyan(['init', '--home', home, '--name', 'root'])
  if (code !== 0) throw new Error(stderr)
  return (await loadIdentity(path.join(home, 'keys'), systemDisk)).tls
}

async function revisionDigest(tree: RealTree): Promise<string> {
  const home = tree.nodes.get('root')?.home ?? ''
  const targets = JSON.parse(await readFile(path.join(home, 'fleet', 'tuf', '2.targets.json'), 'utf8'))
  return targets.signed.targets['revision.json'].hashes.sha256
}

async function logged(t: Test, tree: RealTree, address: string, port: string, because: RegExp): Promise<void> {
  const line = await tree.logged(
    'root',
    new RegExp(`warn attack attack=stranger from=${address.replaceAll('.', '\\.')} detail="${port}: `),
  )
  t.match(line, because, 'the log names him')
}

function askControl(
  port: number,
  tls: TlsIdentity | null,
  address: string,
  method: 'GET' | 'POST' = 'GET',
  path = '/v1/tuf/timestamp.json',
): Promise<Answer> {
  const say = `${method} ${path} HTTP/1.1\r\nhost: root\r\ncontent-length: ${method === 'POST' ? 2 : 0}\r\nconnection: close\r\n\r\n${method === 'POST' ? '{}' : ''}`
  return askTls({ port, tls, address, say, options: { ALPNProtocols: ['http/1.1'] } })
}

function askSwarm({ swarm, infoHash }: Scene, tls: TlsIdentity | null, address: string): Promise<Answer> {
  const hello = [Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), Buffer.from(infoHash, 'hex')]
  const say = Buffer.concat([...hello, Buffer.alloc(20, 1)])
  const options = { ALPNProtocols: ['banyan-swarm/1'], servername: `${infoHash}.swarm` }
  return askTls({ port: swarm, tls, address, say, options, enough: 68 })
}

/**
 * Says something as soon as the client's side of the handshake is through, and takes what comes
 * until the other end hangs up.
 */
function askTls(call: {
  port: number
  tls: TlsIdentity | null
  address: string
  say: string | Buffer
  options: ConnectionOptions
  enough?: number
}): Promise<Answer> {
  const { port, tls, address, say, options, enough = Number.POSITIVE_INFINITY } = call
  return new Promise((resolve) => {
    const socket = connectTls({
      ...{ port, host: '127.0.0.1', localAddress: address, rejectUnauthorized: false },
      ...{ checkServerIdentity: () => undefined, servername: 'root.example' },
      ...(tls !== null && { key: tls.key, cert: tls.certificate, ca: tls.ca }),
      ...options,
    } as ConnectionOptions)
    const parts: Buffer[] = []
    let end = 'hung up'
    socket.on('secureConnect', () => socket.write(say))
    socket.on('data', (part: Buffer) => {
      parts.push(part)
      if (Buffer.concat(parts).length >= enough) socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end = error.code ?? error.message
    })
    socket.on('close', () => resolve({ got: Buffer.concat(parts), end }))
  })
}

/** The same without TLS, saying no more after that. */
function askPlainly(port: number, address: string, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connectTcp({ port, host: '127.0.0.1', localAddress: address } satisfies NetConnectOpts)
    const parts: Buffer[] = []
    socket.on('connect', () => socket.end(bytes))
    socket.on('data', (part: Buffer) => parts.push(part))
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(parts)))
  })
}
