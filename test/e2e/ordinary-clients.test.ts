// Ordinary BitTorrent clients take a package from a staging server, by a .torrent file and nothing
// else.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../../bench/lab/shell.ts'
import { type RealTree, realTree } from './real-tree.ts'
import { until } from './until.ts'

const payloadBytes = 5 * 1024 * 1024 + 4321
const libtorrent = `
import sys, time, libtorrent as lt
session = lt.session({'listen_interfaces': '0.0.0.0:0', 'enable_dht': False, 'enable_lsd': False,
                      'enable_upnp': False, 'enable_natpmp': False, 'alert_mask': 0})
handle = session.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2]})
while not handle.status().is_seeding:
    time.sleep(0.05)
`

/**
 * How each is run with its ordinary settings, but for what would look for peers anywhere else; and
 * what brings it.
 */
const clients: Record<string, (torrent: string, folder: string) => [program: string, ...args: string[]]> = {
  aria2: (torrent, folder) => [
    ...(['aria2c', '--no-conf', '--enable-dht=false', '--enable-dht6=false', '--seed-time=0'] as const),
    ...['--console-log-level=notice', `--dir=${folder}`, torrent],
  ],
  transmission: (torrent, folder) => [
    ...(['transmission-cli', '-g', path.join(folder, 'config'), '-w', folder, '-M', torrent] as const),
  ],
  libtorrent: (torrent, folder) => ['/usr/bin/python3', '-c', libtorrent, torrent, folder],
}

async function tree(t: Test, plain: Record<string, unknown> | undefined): Promise<RealTree> {
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  const settings = plain === undefined ? {} : { plain }
  await tree.plant({ name: 'staging', site: 'berlin', parent: 'root', token, settings })
  await tree.publish('atlas', '1.0.0', { world: randomBytes(payloadBytes) })
  await tree.release('rules:\n  - nodes: all\n    packages: { atlas: latest }\n')
  for (const name of ['root', 'staging']) {
    await tree.reports(
      name,
      'has it, and installed it',
      ({ converged, revision }) => converged === revision && revision === 1,
    )
  }
  return tree
}

/**
 * Transmission takes no peers on the loopback network, so where there is no other one this makes an
 * address of its own.
 */
async function ownAddress(t: Test): Promise<string> {
  const known = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const found = known.find(({ family, internal }) => family === 'IPv4' && !internal)
  if (found !== undefined) return found.address
  await run('ip', ['address', 'add', '10.213.0.1/32', 'dev', 'lo'])
  t.teardown(() => run('ip', ['address', 'del', '10.213.0.1/32', 'dev', 'lo']))
  return '10.213.0.1'
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Ports that a daemon or a child of it listens at. */
async function listeningAt(daemon: ChildProcess): Promise<number[]> {
  const children = (await run('pgrep', ['-P', String(daemon.pid)]).catch(() => '')).trim().split('\n')
  const sockets = (await run('ss', ['-Hltunp'])).split('\n')
  const own = sockets.filter((line) => [daemon.pid, ...children].some((pid) => line.includes(`pid=${pid},`)))
  return own.map((line) => Number(/:(\d+) /.exec(line)?.[1] ?? Number.NaN))
}

t.test('aria2, transmission and libtorrent take a package by its .torrent file alone', async (t) => {
  t.setTimeout(240_000)
  const address = await ownAddress(t)
  const plain = { announcePort: 0, swarmPort: 0, listen: address }
  const grove = await tree(t, plain)
  const torrent = path.join(grove.folder, 'atlas.torrent')
  const said = JSON.parse(await grove.must('staging', 'torrent', 'atlas', '--output', torrent, '--json'))
  t.match(said, { name: 'atlas', version: '1.0.0', file: torrent, announce: /^http:.*:\d+\/announce$/ })
  const { sha256: expected } = (await payloadOf(grove)) as { sha256: string }
  for (const [client, command] of Object.entries(clients)) {
    const folder = path.join(grove.folder, client)
    await mkdir(path.join(folder, 'config'), { recursive: true })
    // Over UDP it would try for minutes before it tries TCP.
    await writeFile(path.join(folder, 'config', 'settings.json'), JSON.stringify({ 'utp-enabled': false }))
    const [program, ...args] = command(torrent, folder)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: folder } })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => (output = (output + data).slice(-400)))
    t.teardown(() => child.kill('SIGKILL'))
    const bytes = await until(
      `${client} has it`,
      async () => {
        const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) => each.isFile())
        for (const { parentPath, name } of files) {
          const found = await readFile(path.join(parentPath, name))
          if (sha256(found) === expected) return found
        }
        throw new Error(output)
      },
      60_000,
    )
    child.kill('SIGKILL')
    t.ok(bytes.length > payloadBytes, `${client} has all ${bytes.length} bytes, and their SHA-256 is right`)
  }
  await until('what they were given is counted', async () => {
    const { transfers } = (await grove.ask('staging', '/status')) as { transfers: { given: number }[] }
    if ((transfers[0]?.given ?? 0) >= 3 * payloadBytes) return true
    throw new Error(`given: ${transfers[0]?.given}`)
  })
})

t.test('with the plain endpoint off nothing listens for ordinary clients', async (t) => {
  t.setTimeout(280_000)
  const grove = await tree(t, undefined)
  const daemon = grove.nodes.get('staging')?.process
  if (daemon === null || daemon === undefined) throw new Error('it does not run')
  const ports = await listeningAt(daemon)
  t.equal(ports.length, 2, `only the control port and the swarm port: ${ports}`)
  const { code, stderr } = await grove.banyan(['torrent', 'atlas', '--home', grove.nodes.get('staging')?.home ?? ''])
  t.equal(code, 1)
  t.match(stderr, /error: ordinary clients are not let in here\nhint: set plain in node\.yaml/)
})

async function payloadOf(grove: RealTree): Promise<unknown> {
  const { versions } = (await grove.ask('root', '/packages/atlas')) as { versions: { payload: unknown }[] }
  return versions[0]?.payload
}
