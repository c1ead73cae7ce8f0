// Sites as network namespaces: every machine has one, and every site a bridge in one of its own. A WAN link joins two bridges
// and is shaped at both ends. All addresses are of one network, so that everybody can reach everybody over the links.
// Nothing leads out of it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { run } from './shell.ts'

export interface Machine {
  name: string
  site: string
  /** The machine it takes from in systems with levels; null at the root. */
  parent: string | null
}

export interface Plan {
  machines: readonly Machine[]
  /** `below` hangs at `above` by a link of so many Mbit/s in each direction. */
  links: readonly { above: string; below: string; mbit: number }[]
}

export interface Lab {
  plan: Plan
  /** For files; removed in the end. */
  folder: string
  address(machine: string): string
  /** Runs in the namespace of the machine until it ends or the lab is closed. */
  spawn(machine: string, program: string, args: readonly string[], env?: Record<string, string>): ChildProcess
  /** Bytes that came down each link so far, as its lower end counts them. */
  wanBytes(): Promise<number[]>
  close(): Promise<void>
}

const prefix = 'banyanlab'
let labs = 0

/** Removes what this run has made, and what an earlier one that was killed left behind. */
export async function sweep(): Promise<void> {
  for (const name of (await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ', 1)[0] ?? '')) {
    const owner = new RegExp(`^${prefix}-(\\d+)-`).exec(name)?.[1]
    if (owner !== undefined && (Number(owner) === process.pid || !isAlive(Number(owner)))) await removeNamespace(name)
  }
}

/** Its files lie in a new folder within `parent`. Throws if it cannot be made; whatever was made is removed then. */
export async function openLab(plan: Plan, parent: string): Promise<Lab> {
  labs += 1
  const space = (name: string) => `${prefix}-${process.pid}-${labs}-${name}`
  const folder = await mkdtemp(path.join(parent, 'lab-'))
  const sites = [...new Set(plan.machines.map(({ site }) => site))]
  const spaces: string[] = []
  const children: ChildProcess[] = []
  const addressOf = (name: string) => {
    const at = plan.machines.findIndex((machine) => machine.name === name)
    const site = sites.indexOf(plan.machines[at]?.site ?? '')
    if (at === -1) throw new Error(`no machine ${name}`)
    return `10.77.${site + 1}.${at + 1}`
  }
  const addSpace = async (name: string) => {
    spaces.push(space(name))
    await run('ip', ['netns', 'add', space(name)])
    await run('ip', ['-n', space(name), 'link', 'set', 'lo', 'up'])
    await run('ip', ['netns', 'exec', space(name), 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1'])
  }
  /** A cable between two namespaces. */
  const join = async (one: [string, string], other: [string, string]) => {
    const [[a, nameA], [b, nameB]] = [one, other]
    const peer = ['peer', 'name', nameB, 'netns', space(b)]
    await run('ip', ['link', 'add', nameA, 'netns', space(a), 'type', 'veth', ...peer])
  }
  const plug = async (site: string, port: string) => {
    await run('ip', ['-n', space(site), 'link', 'set', port, 'master', 'bridge', 'up'])
  }
  const close = async () => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    const gone = children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit'))
    await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, 5000).unref())])
    for (const name of spaces) await removeNamespace(name)
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }

  try {
    for (const site of sites) {
      await addSpace(site)
      await run('ip', ['-n', space(site), 'link', 'add', 'bridge', 'type', 'bridge', 'forward_delay', '0'])
      await run('ip', ['-n', space(site), 'link', 'set', 'bridge', 'up'])
    }
    for (const [index, { name, site }] of plan.machines.entries()) {
      await addSpace(name)
      await join([name, 'lan'], [site, `port${index}`])
      await plug(site, `port${index}`)
      await run('ip', ['-n', space(name), 'address', 'add', `${addressOf(name)}/16`, 'dev', 'lan'])
      await run('ip', ['-n', space(name), 'link', 'set', 'lan', 'up'])
      await mkdir(path.join(folder, name))
    }
    for (const { above, below, mbit } of plan.links) {
      await join([above, `to-${below}`], [below, 'wan'])
      for (const [site, port] of [[above, `to-${below}`] as const, [below, 'wan'] as const]) {
        await plug(site, port)
        // A burst of a whole segment as the sender's kernel builds it, so that none has to be cut.
        const shape = ['tbf', 'rate', `${mbit}mbit`, 'burst', '128kb', 'latency', '50ms']
        await run('tc', ['-n', space(site), 'qdisc', 'add', 'dev', port, 'root', ...shape])
      }
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    plan,
    folder,
    address: addressOf,
    spawn: (machine, program, args, env = {}) => {
      const child = spawn('ip', ['netns', 'exec', space(machine), program, ...args], {
        cwd: path.join(folder, machine),
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      })
      children.push(child)
      return child
    },
    wanBytes: () =>
      Promise.all(
        plan.links.map(async ({ below }) => {
          const text = await run('ip', ['-n', space(below), '-j', '-s', 'link', 'show', 'dev', 'wan'])
          const [link] = JSON.parse(text) as { stats64: { rx: { bytes: number } } }[]
          return link?.stats64.rx.bytes ?? Number.NaN
        }),
      ),
    close,
  }
}

/** With every process that is still in it: all of them are ours, since the namespace is. */
async function removeNamespace(name: string): Promise<void> {
  const pids = await run('ip', ['netns', 'pids', name]).catch(() => '')
  for (const pid of pids.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended meanwhile.
    }
  }
  await run('ip', ['netns', 'del', name]).catch(() => '')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
