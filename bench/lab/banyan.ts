// Banyan itself: a root, staging servers and clients as real daemons, one in each namespace.

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { requestLocal } from '../../src/world/local.ts'
import type { Lab } from './site.ts'
import { lineOf, type Prepared, rootOf, type System, takersOf } from './system.ts'

const program = fileURLToPath(new URL('../../src/cli/banyan.js', import.meta.url))
const lookEveryMs = 250
const timeoutMs = 300_000

interface Transfer {
  name: string
  size: number
  state: string
  completedAt: number | null
}

export const banyan: System = { name: 'banyan', prepare }

async function prepare(lab: Lab, payload: string): Promise<Prepared> {
  const root = rootOf(lab)
  const takers = takersOf(lab)
  const homeOf = (name: string) => path.join(lab.folder, name, 'home')
  const command = async (machine: string, args: readonly string[]) => {
    const child = lab.spawn(machine, process.execPath, [program, ...args, '--home', homeOf(machine)])
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (data) => {
      stdout += data
    })
    child.stderr?.on('data', (data) => {
      stderr += data
    })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`banyan ${args[0]} on ${machine} ended with ${code}: ${stderr.trim()}`)
    return stdout.trim()
  }
  const start = async (machine: string) => {
    const child = lab.spawn(machine, process.execPath, [program, 'node', '--home', homeOf(machine)])
    child.stderr?.pipe(createWriteStream(path.join(lab.folder, `${machine}.log`)))
    await lineOf(child, /^ready\b/m, `banyan on ${machine}`)
  }
  const settingsFor = async (machine: string) => {
    const target = path.join(lab.folder, machine, 'machine')
    await mkdir(target)
    return ['--name', machine, '--target-root', target]
  }
  const ask = async (machine: string, method: 'GET' | 'POST', url: string, body?: unknown) => {
    const socket = path.join(homeOf(machine), 'run', 'control.sock')
    const lines: unknown[] = []
    const onLine = (line: unknown) => lines.push(line)
    const sent = body === undefined ? {} : { body, onLine }
    return (await requestLocal({ path: socket, method, url, ...sent })).json ?? lines.at(-1)
  }
  const transferOf = async (machine: string) => {
    const { transfers } = (await ask(machine, 'GET', '/status')) as { transfers: Transfer[] }
    return transfers.find(({ name }) => name === 'load')
  }

  const source = path.join(lab.folder, 'package')
  await mkdir(source)
  await symlink(payload, path.join(lab.folder, 'payload'))
  await writeFile(path.join(source, 'load.bin'), await readFile(payload))
  await command(root, ['init', ...(await settingsFor(root)), '--listen', lab.address(root)])
  await start(root)
  const token = await command(root, ['token', 'create', '--uses', String(takers.length)])
  // One after the other: a parent has to be there before its children.
  for (const { name, site, parent } of takers) {
    const up = ['--parent', `https://${lab.address(parent)}:7420`, '--site', site, '--listen', lab.address(name)]
    await command(name, ['join', token, ...(await settingsFor(name)), ...up])
    await start(name)
  }
  await command(root, ['publish', source, '--name', 'load', '--version', '1.0.0'])
  await writeFile(path.join(homeOf(root), 'policy.yaml'), 'rules:\n  - nodes: all\n    packages: { load: latest }\n')
  const { size } = (await transferOf(root)) ?? { size: 0 }

  return {
    bytes: size,
    go: async () => {
      await ask(root, 'POST', '/release', { message: 'lab', allowRemovals: false })
      const until = Date.now() + timeoutMs
      const completed = new Map<string, number>()
      while (completed.size < takers.length) {
        if (Date.now() > until) throw new Error(`${completed.size} of ${takers.length} nodes after ${timeoutMs} ms`)
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
        for (const { name } of takers) {
          if (completed.has(name)) continue
          const at = (await transferOf(name))?.completedAt
          if (at !== undefined && at !== null) completed.set(name, at)
        }
      }
      return Math.max(...completed.values())
    },
  }
}
