// What the lab compares: ways to bring files from the root to every other machine.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Load } from './load.ts'
import type { Lab } from './site.ts'

export interface System {
  name: string
  /** Programs, with the Debian packages that bring them. */
  needs: Readonly<Record<string, string>>
  /** Everything that may be there before the load is known runs when it resolves. */
  prepare(lab: Lab, load: Load, options: Options): Promise<Prepared>
}

export interface Options {
  trouble: Trouble
  /** Whether to wait afterwards until all nodes have installed it, and say how many did. */
  settles: boolean
}

/**
 * `kill-taker`: the node that takes most from the parent dies when half of the load has come over
 * the first link. `rot`: bytes are flipped in the stores of all nodes, and the time is that at which
 * the last one is healed.
 */
export type Trouble = 'none' | 'kill-taker' | 'rot'

export interface Prepared {
  /** What each machine has to get, in bytes. */
  bytes: number
  /**
   * Brings the load to all machines; resolves with the time, in milliseconds since 1970, at which
   * the last one had it.
   */
  go(): Promise<number>
  /** What else is known afterwards. */
  details?(): Promise<Details>
}

export interface Details {
  /** Bytes that the programs which moved the payload had resident at most. */
  seedPeak?: number
  leechPeak?: number
  /** From the moment that the last node began to want it. */
  transferSeconds?: number
  /** Bytes that were flipped, what came again for them, and the nodes that told of an attack. */
  flips?: number
  againBytes?: number
  attacks?: number
  /** Nodes that have converged. */
  converged?: number
}

/** Every machine but the root. */
export function takersOf(lab: Lab) {
  return lab.plan.machines.flatMap(({ name, site, parent }) => (parent === null ? [] : [{ name, site, parent }]))
}

export function rootOf(lab: Lab): string {
  const root = lab.plan.machines.find(({ parent }) => parent === null)
  if (root === undefined) throw new Error('no root')
  return root.name
}

/** The machines that others take from. */
export function stagingOf(lab: Lab) {
  const parents = new Set(lab.plan.machines.map(({ parent }) => parent))
  return takersOf(lab).filter(({ name }) => parents.has(name))
}

/** Resolves when it has ended with 0. */
export async function ended(child: ChildProcess, what: string): Promise<void> {
  const said = tailOf(child)
  child.stdout?.resume()
  const [code, signal] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode, null]
  if (code !== 0) throw new Error(`${what} ended with ${code ?? signal}: ${said()}`)
}

/** Resolves with the line of its standard output that matches. */
export function lineOf(child: ChildProcess, pattern: RegExp, what: string): Promise<string> {
  const said = tailOf(child)
  return new Promise((resolve, reject) => {
    let seen = ''
    child.stdout?.on('data', (data) => {
      seen += data
      const found = pattern.exec(seen)
      if (found !== null) resolve(found[0])
      seen = seen.slice(-2000)
    })
    child.once('exit', (code, signal) => reject(new Error(`${what} ended with ${code ?? signal}: ${said()}`)))
  })
}

/** Resolves when somebody listens there. */
export async function listening(lab: Lab, machine: string, port: number): Promise<void> {
  const address = lab.address(machine)
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const child = lab.spawn(machine, 'bash', ['-c', `exec 3<>/dev/tcp/${address}/${port}`])
    child.stderr?.resume()
    const [code] = await once(child, 'exit')
    if (code === 0) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`nobody listens at ${address}:${port}`)
}

/** Whether it is installed. */
export async function has(program: string): Promise<boolean> {
  const child = spawn('sh', ['-c', 'command -v "$0"', program], { stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  return code === 0
}

function tailOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (data) => {
    text = (text + data).slice(-1000)
  })
  return () => text.trim()
}
