// One staging server and many children: its open files, its memory and its engine's while each
// child has a wire in the swarm, over which it has taken a block, and a watch that hangs. Real
// certificates, mutual TLS, light clients. Run: node bench/children.ts [--children 500] [--runs 3]

import { fork } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { openTree, type Tree } from '../src/cli/demo/tree.ts'
import type { Transfer } from '../src/model/report.ts'
import { createNodeCertificate, fleetOf } from '../src/trust/certificates.ts'
import { certificatePem, privateKeyFromPem, privateKeyPem } from '../src/trust/keys.ts'
import { systemRandom } from '../src/world/random.ts'
import type { TlsIdentity } from '../src/world/world.ts'
import type { Task } from './children-main.ts'
import { familyOf, memoryOf } from './lab/processes.ts'
import { markdownOf, spread } from './lab/table.ts'

const { values } = parseArgs({
  options: { children: { type: 'string', default: '500' }, runs: { type: 'string', default: '3' } },
})
const [count, runs] = [Number(values.children), Number(values.runs)]
const processes = 2
const settledMs = 5_000

interface Run {
  seconds: number
  control: { files: number; resident: number }
  engine: { files: number; resident: number; peak: number }
}

const measured: Run[] = []
for (let run = 0; run < runs; run += 1) {
  const tree = await openTree()
  try {
    measured.push(await measure(tree))
    process.stderr.write(`${run + 1}/${runs}: ${measured.at(-1)?.seconds.toFixed(1)} s\n`)
  } finally {
    await tree.fell()
  }
}
const of = (value: (run: Run) => number) => spread(measured.map(value))
console.log(
  markdownOf([
    ['', `${count} children, ${runs} runs`],
    ['until all have a wire, a block and a watch, s', of(({ seconds }) => seconds)],
    ['control process: open files', of(({ control }) => control.files)],
    ['control process: resident, MB', of(({ control }) => control.resident / 1e6)],
    ['engine: open files', of(({ engine }) => engine.files)],
    ['engine: resident, MB', of(({ engine }) => engine.resident / 1e6)],
    ['engine: at most, MB', of(({ engine }) => engine.peak / 1e6)],
  ]),
)

async function measure(tree: Tree): Promise<Run> {
  const { home } = await tree.plant({ name: 'root', site: 'headquarters', parent: null })
  const token = (await tree.banyan(['token', 'create', '--home', home])).stdout.trim()
  const berlin = await tree.plant({ name: 'berlin', site: 'berlin', parent: 'root', token })
  const folder = path.join(tree.folder, 'big')
  await mkdir(folder)
  await writeFile(path.join(folder, 'blob'), systemRandom.bytes(16 * 1024 * 1024))
  await tree.banyan(['publish', folder, '--name', 'big', '--version', '1.0', '--home', home])
  await writeFile(path.join(home, 'policy.yaml'), 'rules:\n  - nodes: all\n    packages: { big: latest }\n')
  await tree.banyan(['release', '--home', home])
  const transfer = await whole(tree)
  const identities = await certificatesFrom(home)
  const swarmPort = Number(/^swarmPort: (\d+)/m.exec(await readFile(path.join(berlin.home, 'node.yaml'), 'utf8'))?.[1])
  const startedAt = performance.now()
  const children = await Promise.all(
    Array.from({ length: processes }, async (_, index) => {
      const child = fork(path.join(import.meta.dirname, 'children-main.ts'))
      const share = identities.filter((_, each) => each % processes === index)
      const controlPort = Number(new URL(berlin.controlUrl).port)
      child.send({ controlPort, swarmPort, infoHash: transfer.infoHash, identities: share } satisfies Task)
      const [message] = await Promise.race([once(child, 'message'), once(child, 'exit')])
      if (message !== 'ready') throw new Error(`the children ended with ${message}`)
      return child
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  await new Promise((resolve) => setTimeout(resolve, settledMs))
  const family = await familyOf(berlin.process?.pid ?? 0)
  const engine = family.find(({ command }) => command.includes('engine-main'))?.pid ?? 0
  const of = async (pid: number) => ({ files: (await readdir(`/proc/${pid}/fd`)).length, ...(await memoryOf(pid)) })
  const run = { seconds, control: await of(berlin.process?.pid ?? 0), engine: await of(engine) }
  if (run.engine.files < count || run.control.files < count) throw new Error('some children are not connected')
  for (const child of children) child.disconnect()
  await Promise.all(children.map((child) => once(child, 'exit')))
  return run
}

async function whole(tree: Tree): Promise<Transfer> {
  for (let tries = 0; tries < 300; tries += 1) {
    const { transfers } = (await tree.ask('berlin', '/status')) as { transfers: Transfer[] }
    const found = transfers.find(({ name, state }) => name === 'big' && state === 'complete')
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the staging server did not get the payload')
}

async function certificatesFrom(home: string): Promise<TlsIdentity[]> {
  const ca = await readFile(path.join(home, 'fleet/ca.crt.pem'), 'utf8')
  const certificate = new X509Certificate(ca)
  const privateKey = privateKeyFromPem(await readFile(path.join(home, 'fleet/keys/ca.key.pem'), 'utf8'), 'ca')
  const authority = { fleet: fleetOf(certificate), certificate: new Uint8Array(certificate.raw), privateKey }
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const key = generateKeyPairSync('ed25519').privateKey
      const about = { authority, name: `child-${index}`, publicKey: key }
      const der = await createNodeCertificate(about, { now: Date.now(), random: systemRandom })
      return { key: privateKeyPem(key), certificate: certificatePem(der), ca }
    }),
  )
}
