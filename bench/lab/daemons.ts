// Real daemons: a root, staging servers and clients, one in each namespace.

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { requestLocal } from '../../src/world/local.ts'
import type { Lab } from './site.ts'
import { lineOf, rootOf, takersOf } from './system.ts'

const program = fileURLToPath(new URL('../../src/cli/banyan.js', import.meta.url))
/** The machine has two cores, and a join is a process that starts. */
const joinsAtOnce = 3

export interface Payload {
  via: 'object' | 'swarm'
  sha256: string
  size: number
}

export interface Daemons {
  /** All of them, with nothing to do. */
  plant(): Promise<void>
  command(machine: string, args: readonly string[]): Promise<string>
  ask(machine: string, method: 'GET' | 'POST', url: string, body?: unknown): Promise<unknown>
  homeOf(machine: string): string
  /** Where a payload lies once it is there as a whole and verified. */
  fileOf(machine: string, payload: Payload): string
  pid(machine: string): number
}

export function openDaemons(lab: Lab): Daemons {
  const root = rootOf(lab)
  const takers = takersOf(lab)
  const pids = new Map<string, number>()
  const homeOf = (name: string) => path.join(lab.folder, name, 'home')
  const command = async (machine: string, args: readonly string[]) => {
    const child = lab.spawn(machine, process.execPath, [program, ...args, '--home', homeOf(machine)])
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (data) => {
      stdout += data
    })
    child.stderr?.on('data', (data) => {
      stderr = (stderr + data).slice(-4000)
    })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`banyan ${args[0]} on ${machine} ended with ${code}: ${stderr.trim()}`)
    return stdout.trim()
  }
  const start = async (machine: string) => {
    const child = lab.spawn(machine, process.execPath, [program, 'node', '--home', homeOf(machine)])
    pids.set(machine, child.pid ?? 0)
    child.stderr?.pipe(createWriteStream(path.join(lab.folder, `${machine}.log`)))
    await lineOf(child, /^ready\b/m, `banyan on ${machine}`)
  }
  const settingsFor = async (machine: string) => {
    const target = path.join(lab.folder, machine, 'machine')
    await mkdir(target)
    return ['--name', machine, '--target-root', target, '--listen', lab.address(machine)]
  }
  return {
    command,
    homeOf,
    pid: (machine) => pids.get(machine) ?? 0,
    fileOf: (machine, { via, sha256 }) => path.join(homeOf(machine), via === 'swarm' ? 'store' : 'objects', sha256),
    plant: async () => {
      await command(root, ['init', ...(await settingsFor(root))])
      await start(root)
      const token = await command(root, ['token', 'create', '--uses', String(takers.length)])
      const plantOne = async ({ name, site, parent }: (typeof takers)[number]) => {
        const up = ['--parent', `https://${lab.address(parent)}:7420`, '--site', site]
        await command(name, ['join', token, ...(await settingsFor(name)), ...up])
        await start(name)
      }
      // A parent has to be there before its children.
      for (let waiting = takers; waiting.length > 0; ) {
        const next = waiting.filter(({ parent }) => pids.has(parent)).slice(0, joinsAtOnce)
        if (next.length === 0) throw new Error('some machines have a parent that is not in the plan')
        await Promise.all(next.map(plantOne))
        waiting = waiting.filter((each) => !next.includes(each))
      }
    },
    ask: async (machine, method, url, body) => {
      const socket = path.join(homeOf(machine), 'run', 'control.sock')
      const lines: unknown[] = []
      const onLine = (line: unknown) => lines.push(line)
      const sent = body === undefined ? {} : { body, onLine }
      return (await requestLocal({ path: socket, method, url, ...sent })).json ?? lines.at(-1)
    },
  }
}
