// Sites as network namespaces: every machine has one, and every site a bridge in one of its own. A
// WAN link joins two bridges and is shaped at both ends. All addresses are of one network, so that
// everybody can reach everybody over the links. Nothing leads out of it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import * as net from './namespaces.ts'

export interface Machine {
  name: string
  site: string
  /** The machine it takes from in systems with levels; null at the root. */
  parent: string | null
}

export interface Plan {
  machines: readonly Machine[]
  /** `below` hangs at `above` by a link of so many Mbit/s in each direction. */
  links: readonly {
    above: string
    below: string
    mbit: number
    /** The site below has addresses of its own, which a router translates into one of the site above. */
    isNat?: boolean
  }[]
  /** The machines of these sites reach their router and nobody else of their site. */
  isolated?: readonly string[]
  /** What every machine but the root has at its own site, in each direction; unlimited without. */
  lanMbit?: number
  /** All machines in one namespace, at loopback addresses of their own. */
  isLoopback?: boolean
}

export interface Lab {
  plan: Plan
  /** For files; removed in the end. */
  folder: string
  address(machine: string): string
  /** Runs in the namespace of the machine until it ends or the lab is closed. */
  spawn(machine: string, program: string, args: readonly string[], env?: Record<string, string>): ChildProcess
  /** Every process of the machine, at once and without a farewell. Not on loopback. */
  kill(machine: string): Promise<void>
  /** What came down each link so far. */
  counted(): Promise<net.Counted[]>
  close(): Promise<void>
}

/**
 * Machines that nobody takes from leave the processor to the others: here all share two cores,
 * elsewhere each has its own, and a staging server does not wait for its clients'.
 */
const leafNice = 10

let labs = 0

/**
 * Its files lie in a new folder within `parent`. Throws if it cannot be made; whatever was made is
 * removed then.
 */
export async function openLab(plan: Plan, parent: string): Promise<Lab> {
  labs += 1
  const lab = labs
  const isLoopback = plan.isLoopback === true
  const space = (name: string) => net.spaceOf(lab, isLoopback ? 'loopback' : name)
  const folder = await mkdtemp(path.join(parent, 'lab-'))
  const sites = [...new Set(plan.machines.map(({ site }) => site))]
  const spaces: string[] = []
  const children: ChildProcess[] = []
  const addressOf = (name: string) => {
    const at = plan.machines.findIndex((machine) => machine.name === name)
    const site = sites.indexOf(plan.machines[at]?.site ?? '')
    if (at === -1) throw new Error(`no machine ${name}`)
    if (isLoopback) return `127.0.0.${at + 1}`
    return `${networkOf(sites[site] ?? '')}.${at + 1}`
  }
  const isBehindNat = (site: string) => plan.links.some(({ below, isNat }) => below === site && isNat === true)
  const networkOf = (site: string) => `${isBehindNat(site) ? '192.168' : '10.77'}.${sites.indexOf(site) + 1}`
  const outsideOf = ({ above, below }: Plan['links'][number]) => `${networkOf(above)}.${200 + sites.indexOf(below)}/16`
  const isLeaf = (name: string) => plan.machines.every(({ parent }) => parent !== name)
  const add = async (name: string) => {
    spaces.push(space(name))
    await net.addSpace(space(name))
  }
  const linkAt = ({ above, below }: Plan['links'][number]) => ({
    upper: { space: space(above), name: `to-${below}` },
    lower: { space: space(below), name: 'wan' },
  })
  const close = async () => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    const gone = children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit'))
    await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, 5000).unref())])
    for (const name of spaces) await net.removeSpace(name)
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
  const lay = async () => {
    for (const site of sites) {
      await add(site)
      await net.addBridge(space(site))
    }
    for (const [index, { name, site, parent }] of plan.machines.entries()) {
      await add(name)
      const [own, port] = [
        { space: space(name), name: 'lan' },
        { space: space(site), name: `port${index}` },
      ]
      await net.join(own, port)
      await net.plug(port)
      await net.address(own, `${addressOf(name)}/${isBehindNat(site) ? 24 : 16}`)
      if (isBehindNat(site)) await net.routeBy(own.space, `${networkOf(site)}.254`)
      if (plan.isolated?.includes(site) === true) await net.isolate(port)
      if (plan.lanMbit === undefined || parent === null) continue
      await net.shape(own, plan.lanMbit)
      await net.shape(port, plan.lanMbit)
    }
    for (const link of plan.links) {
      const { upper, lower } = linkAt(link)
      await net.join(upper, lower)
      await net.plug(upper)
      if (link.isNat !== true) await net.plug(lower)
      else await net.translate(lower, { inside: `${networkOf(link.below)}.254/24`, outside: outsideOf(link) })
      for (const port of [upper, lower]) await net.shape(port, link.mbit)
    }
  }

  try {
    if (isLoopback) await add('loopback')
    else await lay()
    for (const { name } of plan.machines) await mkdir(path.join(folder, name))
  } catch (error) {
    await close()
    throw error
  }
  return {
    plan,
    folder,
    address: addressOf,
    spawn: (machine, program, args, env = {}) => {
      const stepsBack = isLeaf(machine) ? ['nice', '-n', `${leafNice}`] : []
      const child = spawn('ip', ['netns', 'exec', space(machine), ...stepsBack, program, ...args], {
        cwd: path.join(folder, machine),
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      })
      children.push(child)
      return child
    },
    kill: (machine) => net.killIn(space(machine)),
    counted: () =>
      Promise.all(
        plan.links.map((link) => {
          const { upper, lower } = linkAt(link)
          return net.countedOn(upper, lower)
        }),
      ),
    close,
  }
}
