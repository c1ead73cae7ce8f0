// A whole tree of real processes on this machine: homes in a temporary folder, ports of the loopback address.

import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure } from '../../model/failure.ts'
import { requestLocal } from '../../world/local.ts'

const program = fileURLToPath(new URL('../banyan.js', import.meta.url))

export interface TreeNode {
  name: string
  site: string
  parent: string | null
  home: string
  targetRoot: string
  controlUrl: string
  /** The running daemon; null after it ended. */
  process: ChildProcess | null
}

export interface Tree {
  folder: string
  nodes: ReadonlyMap<string, TreeNode>
  /** Runs one command of `banyan`; resolves with its output and exit code. */
  banyan(
    args: readonly string[],
    env?: Record<string, string>,
  ): Promise<{ code: number; stdout: string; stderr: string }>
  /** Makes the root, or joins a node to its parent, and starts its daemon unless `run` is false. */
  plant(options: {
    name: string
    site: string
    parent: string | null
    token?: string
    settings?: Record<string, unknown>
    labels?: readonly string[]
    run?: boolean
  }): Promise<TreeNode>
  start(name: string): Promise<void>
  /** Ends the daemon and waits for its end. */
  stop(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<{ code: number | null; signal: string | null }>
  /** What the daemon of a node answers on its local socket. */
  ask(name: string, url: string): Promise<unknown>
  /** All processes ended, all files removed. */
  fell(): Promise<void>
}

/** `fell` has to be called in the end, whatever happens. */
export async function openTree(options: { keep?: boolean } = {}): Promise<Tree> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'banyan-'))
  const nodes = new Map<string, TreeNode>()

  const nodeOf = (name: string): TreeNode => {
    const node = nodes.get(name)
    if (node === undefined) throw new Failure('not-found', `no node ${name} in this tree`)
    return node
  }
  const banyan: Tree['banyan'] = (args, env = {}) => {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    return new Promise((resolve, reject) => {
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (data) => {
        stdout += data
      })
      child.stderr.on('data', (data) => {
        stderr += data
      })
      child.on('error', reject)
      child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }))
    })
  }
  const must = async (args: readonly string[]) => {
    const result = await banyan(args)
    if (result.code === 0) return result.stdout
    throw new Failure('program-failed', `banyan ${args[0]}: exit code ${result.code}: ${result.stderr.trim()}`)
  }
  const start = async (name: string) => {
    const node = nodeOf(name)
    const child = spawn(process.execPath, [program, 'node', '--home', node.home], { stdio: ['ignore', 'pipe', 'pipe'] })
    const log = createWriteStream(path.join(folder, `${name}.log`), { flags: 'a' })
    child.stderr.pipe(log, { end: false })
    node.process = child
    await new Promise<void>((resolve, reject) => {
      let seen = ''
      child.stdout.on('data', (data) => {
        log.write(data)
        seen += data
        if (/^ready\b/m.test(seen)) resolve()
        seen = seen.slice(-1000)
      })
      child.on('exit', (code, signal) => {
        node.process = null
        log.end()
        reject(new Failure('program-failed', `${name} ended with ${code ?? signal}; see ${folder}/${name}.log`))
      })
    })
  }
  const stop: Tree['stop'] = async (name, signal) => {
    const child = nodeOf(name).process
    if (child === null) return { code: null, signal: null }
    const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.once('exit', (code, by) => resolve({ code, signal: by }))
    })
    child.kill(signal)
    return ended
  }

  return {
    folder,
    nodes,
    banyan,
    async plant({ name, site, parent, token, settings = {}, labels = [], run = true }) {
      const home = path.join(folder, name, 'home')
      const targetRoot = path.join(folder, name, 'machine')
      const [controlPort, swarmPort] = await freePorts(2)
      await mkdir(targetRoot, { recursive: true })
      const own = ['--home', home, '--name', name, '--listen', '127.0.0.1', '--target-root', targetRoot]
      const ports = ['--control-port', String(controlPort), '--swarm-port', String(swarmPort)]
      if (parent === null) {
        await must(['init', ...own, ...ports])
      } else {
        const up = ['--parent', nodeOf(parent).controlUrl, '--site', site]
        const labelled = labels.flatMap((label) => ['--label', label])
        await must(['join', token ?? '', ...own, ...ports, ...up, ...labelled])
      }
      const file = path.join(home, 'node.yaml')
      const extra = Object.entries(parent === null ? { site, ...settings } : settings)
      const text = extra.map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join('')
      await writeFile(file, (await readFile(file, 'utf8')) + text, { mode: 0o600 })
      const controlUrl = `https://127.0.0.1:${controlPort}`
      const node: TreeNode = { name, site, parent, home, targetRoot, controlUrl, process: null }
      nodes.set(name, node)
      if (run) await start(name)
      return node
    },
    start,
    stop,
    async ask(name, url) {
      const path = `${nodeOf(name).home}/run/control.sock`
      return (await requestLocal({ path, method: 'GET', url, timeoutMs: 10_000 })).json
    },
    async fell() {
      // Leaves first, so that nobody logs the loss of its parent.
      await Promise.all([...nodes.keys()].reverse().map((name) => stop(name, 'SIGTERM')))
      if (options.keep !== true) await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Ports that are free now; all of them are held until all are known, so that none comes twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
