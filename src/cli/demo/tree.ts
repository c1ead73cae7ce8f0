// A whole tree of real processes on this machine: homes in a temporary folder, ports of the
// loopback address.

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

/** How one command of `banyan` ended. */
export interface CommandResult {
  code: number
  stdout: string
  stderr: string
}

export interface PlantOptions {
  name: string
  /** Null for a node whose settings name no site. */
  site: string | null
  /** Null for the root. */
  parent: string | null
  token?: string
  /** Settings beside those that `init` and `join` write into node.yaml. */
  settings?: Record<string, unknown>
  /** `KEY=VALUE`. */
  labels?: readonly string[]
  /** Whether to start the daemon; true if absent. */
  run?: boolean
}

export interface Tree {
  folder: string
  nodes: ReadonlyMap<string, TreeNode>
  /** Runs one command of `banyan` and resolves when it has ended. */
  banyan(args: readonly string[], env?: Record<string, string>): Promise<CommandResult>
  /** Makes the root, or joins a node to its parent, and starts its daemon. */
  plant(options: PlantOptions): Promise<TreeNode>
  /** Resolves when the daemon is ready; throws if it ends before. */
  start(name: string): Promise<void>
  /** Ends the daemon and waits for its end. */
  stop(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<{ code: number | null; signal: string | null }>
  /** What the daemon of a node answers on its local socket. */
  ask(name: string, url: string): Promise<unknown>
  /** Ends all processes and removes all files. */
  fell(): Promise<void>
}

/**
 * An empty tree. The caller has to call `fell` in the end, whatever happens. `keep`: `fell` leaves
 * the files.
 */
export async function openTree(options: { keep?: boolean } = {}): Promise<Tree> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'banyan-'))
  const nodes = new Map<string, TreeNode>()
  const nodeOf = (name: string): TreeNode => {
    const node = nodes.get(name)
    if (node === undefined) throw new Failure('not-found', `no node ${name} in this tree`)
    return node
  }
  const start = (name: string) => startDaemon(nodeOf(name), path.join(folder, `${name}.log`))
  const stop: Tree['stop'] = (name, signal) => stopDaemon(nodeOf(name), signal)

  return {
    folder,
    nodes,
    banyan: runCommand,
    async plant(wanted) {
      const parent = wanted.parent === null ? null : nodeOf(wanted.parent)
      const node = await makeNode(path.join(folder, wanted.name), parent, wanted)
      nodes.set(node.name, node)
      if (wanted.run !== false) await start(node.name)
      return node
    },
    start,
    stop,
    async ask(name, url) {
      const path = `${nodeOf(name).home}/run/control.sock`
      return (await requestLocal({ path, method: 'GET', url, timeoutMs: 10_000 })).json
    },
    async fell() {
      // Leaves first, so that no node logs the loss of its parent.
      await Promise.all([...nodes.keys()].reverse().map((name) => stop(name, 'SIGTERM')))
      if (options.keep !== true) await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
    },
  }
}

function runCommand(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
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

/** Makes the home of a node by `banyan init` or `banyan join`; its daemon does not run yet. */
async function makeNode(folder: string, parent: TreeNode | null, wanted: PlantOptions): Promise<TreeNode> {
  const { name, site, settings = {}, labels = [] } = wanted
  const home = path.join(folder, 'home')
  const targetRoot = path.join(folder, 'machine')
  const [controlPort, swarmPort] = await freePorts(2)
  await mkdir(targetRoot, { recursive: true })
  const own = ['--home', home, '--name', name, '--listen', '127.0.0.1', '--target-root', targetRoot]
  const ports = ['--control-port', String(controlPort), '--swarm-port', String(swarmPort)]
  const atSite = parent === null || site === null ? [] : ['--site', site]
  const below = parent === null ? [] : ['--parent', parent.controlUrl, ...atSite]
  const labelled = labels.flatMap((label) => ['--label', label])
  const command = parent === null ? ['init'] : ['join', wanted.token ?? '']
  const { code, stderr } = await runCommand([...command, ...own, ...ports, ...below, ...labelled])
  if (code !== 0) throw new Failure('program-failed', `banyan ${command[0]}: exit code ${code}: ${stderr.trim()}`)
  const file = path.join(home, 'node.yaml')
  const extra = Object.entries(parent === null ? { site, ...settings } : settings)
  const text = extra.map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join('')
  await writeFile(file, (await readFile(file, 'utf8')) + text, { mode: 0o600 })
  const controlUrl = `https://127.0.0.1:${controlPort}`
  return { name, site: site ?? '', parent: parent?.name ?? null, home, targetRoot, controlUrl, process: null }
}

/**
 * Sets `process` of the node for as long as the daemon runs, and appends what the daemon prints to
 * its log.
 */
async function startDaemon(node: TreeNode, logFile: string): Promise<void> {
  const child = spawn(process.execPath, [program, 'node', '--home', node.home], { stdio: ['ignore', 'pipe', 'pipe'] })
  const log = createWriteStream(logFile, { flags: 'a' })
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
      reject(new Failure('program-failed', `${node.name} ended with ${code ?? signal}; see ${logFile}`))
    })
  })
}

async function stopDaemon(
  node: TreeNode,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<{ code: number | null; signal: string | null }> {
  const child = node.process
  if (child === null) return { code: null, signal: null }
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (code, by) => resolve({ code, signal: by }))
  })
  child.kill(signal)
  return ended
}

/**
 * Ports that are free now. All of them are held until all are known, so that no port is chosen
 * twice.
 */
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
