// Whole trees of simulated nodes. Real: the daemon, the fleet and its keys, joining, trust,
// repository index, policy, objects, tracker, swarm control, reports. Simulated: the world below
// them, the swarm engine, the installing of packages, and the reading of packages to publish.

import { createHash } from 'node:crypto'
import type { NodeName, PackageName, PackageVersion } from '../../src/model/names.ts'
import { parseSettings, type Settings } from '../../src/model/settings.ts'
import { unlimited } from '../../src/model/units/rates.ts'
import { type RunningNode, startNode } from '../../src/node/daemon.ts'
import { openKeptStore } from '../../src/node/disk/kept-store.ts'
import { type Home, homeAt } from '../../src/node/setup/home.ts'
import { join, makeFolders } from '../../src/node/setup/join.ts'
import { loadSettings, saveSettings } from '../../src/node/setup/settings-file.ts'
import type { ReleasePlan } from '../../src/release/release-plan.ts'
import { openSwarm } from '../../src/swarm/swarm.ts'
import { openRevocations, revokedFileIn } from '../../src/trust/admission/revocations.ts'
import { type Fleet, openFleet } from '../../src/trust/fleet.ts'
import { initFleet } from '../../src/trust/fleet-init.ts'
import { loadIdentity, saveIdentity } from '../../src/trust/identity.ts'
import { openTrust } from '../../src/trust/trust-store.ts'
import { openObjects } from '../../src/world/objects.ts'
import type { TlsIdentity } from '../../src/world/world.ts'
import { type SimulatedMachine, simulatedMachine } from './machine.ts'
import type { SiteLink } from './network.ts'
import { type Promises, watchPromises } from './promises.ts'
import { simulatedChecker } from './simulated-checker.ts'
import type { Platter } from './simulated-disk.ts'
import { createSwarms } from './simulated-engine.ts'
import { openSimulatedRepository, type PackageSource } from './simulated-repository.ts'
import type { SimulatedNode, Simulation } from './simulation.ts'

/** The place of a node, and its parents. */
export interface Planting {
  name: NodeName
  site: string
  /** In order of preference. */
  parents: NodeName[]
  settings?: Partial<Settings>
}

export interface TreeSpec {
  root?: Pick<Planting, 'settings'>
  /** Parents before children. */
  nodes: Planting[]
  /** The link of each site other than the root's, which is called `main`. */
  link?: Partial<SiteLink>
}

export interface TreeNode {
  readonly name: NodeName
  readonly simulated: SimulatedNode
  readonly machine: SimulatedMachine
  readonly home: Home
  /** Undefined while it is down. */
  readonly running: RunningNode | undefined
  /** Of a root that runs or has run. */
  readonly fleet: Fleet | null
  start(): Promise<void>
  /** Stops the node in order, as SIGTERM does. */
  stop(): Promise<void>
  /** Ends the node as SIGKILL does, or a power cut. `start` starts it again. */
  crash(options?: { power?: boolean }): void
  crashEngine(): void
  /** Somebody who has this node's keys answers at its swarm port. The node itself is down. */
  pose(tls: TlsIdentity): void
  /**
   * Changes one byte of a file below the home folder, as a disk does that rots. Of a part, the byte
   * is counted within the pieces that are there.
   */
  rot(path: string, at: number): void
  content(path: string): Uint8Array
  /** The payloads in the store, whole (`<sha256>`) and in part (`<info hash>.part`), with their bytes. */
  stored(): { path: string; bytes: number }[]
}

export interface Policy {
  [name: PackageName]: PackageVersion | 'latest' | 'absent'
}

export interface Lag {
  /** Whether the knowledge of the root counts, too. It does by default. */
  reports?: boolean
}

export interface Tree {
  readonly root: TreeNode
  /** All, the root first. */
  readonly nodes: readonly TreeNode[]
  node(name: NodeName): TreeNode
  below(parent: NodeName): TreeNode[]
  /** Publishes a package. Its bytes follow from name and version. */
  publish(name: PackageName, version: PackageVersion, options?: { size?: number }): Promise<void>
  /**
   * Returns the number of the revision; undefined if the root crashes before it is known. `terms`
   * are lines of the one rule for all nodes, `sections` stand beside the rules.
   */
  release(
    policy: Policy,
    options?: { crashAfterMs?: number; terms?: string[]; sections?: string[] },
  ): Promise<number | undefined>
  /**
   * Rolls back to an earlier revision, which wanted these packages. The policy file is not changed.
   */
  rollback(revision: number, policy: Policy): Promise<number>
  /** What releasing this policy would change. */
  plan(policy: Policy): Promise<ReleasePlan>
  /**
   * Another machine at the same site, with a copy of the disk of this node, which is not running.
   * It is started with `start`.
   */
  copyOf(name: NodeName): TreeNode
  /**
   * What is still missing on the running nodes, and in the knowledge of the root, from the newest
   * revision.
   */
  lagging(options?: Lag): string[]
  /**
   * Runs until nothing lags, and throws what still lags after that time. Returns the virtual
   * milliseconds that it took.
   */
  converge(options?: Lag & { withinMs?: number; stepMs?: number }): Promise<number>
  /** The broken promises. Empty if all were kept. */
  readonly promises: Promises
}

const MiB = 2 ** 20
const controlPort = 7420

/**
 * One root, this many staging servers at one site each, and this many clients below each of them.
 */
export function threeLevels(options: {
  stagingServers: number
  clientsEach: number
  settings?: Partial<Settings>
}): Planting[] {
  const { stagingServers, clientsEach, settings = {} } = options
  const nodes: Planting[] = []
  for (let s = 1; s <= stagingServers; s += 1) {
    nodes.push({ name: `staging-${s}`, site: `site-${s}`, parents: ['root'], settings })
  }
  for (let s = 1; s <= stagingServers; s += 1) {
    for (let c = 1; c <= clientsEach; c += 1) {
      nodes.push({ name: `client-${s}-${c}`, site: `site-${s}`, parents: [`staging-${s}`], settings })
    }
  }
  return nodes
}

export async function plantTree(simulation: Simulation, spec: TreeSpec): Promise<Tree> {
  const sources = new Map<string, PackageSource>()
  const swarms = createSwarms(simulation)
  const sites = ['main', ...new Set(spec.nodes.map(({ site }) => site).filter((site) => site !== 'main'))]
  const promises = watchPromises(simulation)

  function place({ name, site }: Pick<Planting, 'name' | 'site'>): TreeNode {
    const net = sites.indexOf(site)
    const last = [...nodes.values(), ...copies].filter((node) => node.simulated.site === site).length + 1
    const simulated = simulation.node({ address: `10.${net}.${last >> 8}.${last & 255}`, site })
    const machine = simulatedMachine(simulated)
    const home = homeAt('/var/lib/banyan')
    let running: RunningNode | undefined
    let fleet: Fleet | null = null
    let hasRun = false
    const contentsOf = (path: string): { bytes: Uint8Array; replace(bytes: Uint8Array): void }[] => {
      const part = path.endsWith('.part') ? swarms.partAt(simulated, path) : undefined
      if (part !== undefined && part.pieces.size > 0) {
        return [...part.pieces].map(([piece, bytes]) => ({ bytes, replace: (next) => part.put(piece, next) }))
      }
      const { entries } = simulated.storage as Platter
      const entry = entries.get(path)
      if (entry?.kind !== 'file') return []
      return [{ bytes: entry.content, replace: (next) => entries.set(path, { ...entry, content: Buffer.from(next) }) }]
    }
    const node: TreeNode = {
      ...{ name, simulated, machine, home },
      get running() {
        return running
      },
      get fleet() {
        return fleet
      },
      async start() {
        if (hasRun) simulated.restart()
        hasRun = true
        const started = await startOn(simulated, machine, home, (opened) => {
          fleet = opened
        })
        running = started
        promises.watch(node, started)
      },
      async stop() {
        const stopping = running
        running = undefined
        await stopping?.stop()
        simulated.crash()
      },
      crash(options) {
        running = undefined
        swarms.kill(simulated)
        simulated.crash(options)
      },
      crashEngine: () => swarms.kill(simulated),
      pose: (tls) => swarms.pose(simulated, { node: name, port: 7421, tls }),
      rot: (path, at) => rotAt(contentsOf(path), at),
      content: (path) => Buffer.concat(contentsOf(path).map(({ bytes }) => bytes)),
      stored: () =>
        [...(simulated.storage as Platter).entries.keys()].sort().flatMap((path) => {
          if (!path.startsWith(`${home.store}/`)) return []
          return [{ path, bytes: contentsOf(path).reduce((sum, { bytes }) => sum + bytes.length, 0) }]
        }),
    }
    return node
  }

  async function startOn(
    simulated: SimulatedNode,
    machine: SimulatedMachine,
    home: Home,
    onFleet: (fleet: Fleet | null) => void,
  ): Promise<RunningNode> {
    const { world } = simulated
    const settings = await loadSettings(world.disk, home.settings)
    let identity = await loadIdentity(home.keys, world.disk)
    const store = await openKeptStore(world, { path: home.state, dir: home.kept })
    const objects = openObjects({ disk: world.disk, dir: home.objects })
    const fleet = settings.parents.length > 0 ? null : await openFleet({ dir: home.dir, ...world })
    onFleet(fleet)
    const revokedIn = { file: revokedFileIn(home.dir), ca: identity.tls.ca, disk: world.disk }
    const prepare = () => Promise.reject(new Error('packages are simulated'))
    const repositoryParts = { ...world, dir: home.repository, payloads: home.store, objects, prepare }
    return await startNode({
      ...{ world, home, settings, store, objects, version: '0' },
      readSettings: () => loadSettings(world.disk, home.settings),
      identity: () => identity,
      revocations: fleet?.revocations ?? (await openRevocations(revokedIn)),
      setIdentity: async (next) => {
        await saveIdentity(home.keys, next.tls, world.disk)
        identity = next
      },
      trust: await openTrust({ dir: home.tuf, ...world, clock: fleet ?? world.clock }),
      machine: machine.open(world, home.dir),
      openSwarm: (wanted) =>
        openSwarm({
          ...{ ...world, dir: home.store, store: store.sub('swarm'), self: settings.name, ...wanted },
          tls: () => identity.tls,
          listen: { address: settings.listen, port: settings.swarmPort },
          rates: unlimited,
          ...{ engine: swarms.engineFor(simulated), checker: simulatedChecker(world.disk) },
        }),
      ownAddresses: () => [simulated.address],
      root:
        fleet === null
          ? null
          : {
              fleet,
              repository: await openSimulatedRepository(repositoryParts, sources),
            },
    })
  }

  async function init(node: TreeNode): Promise<void> {
    const { world } = node.simulated
    const settings = parseSettings({ name: node.name, site: 'main', ...spec.root?.settings }, node.name)
    await makeFolders(world, node.home, settings)
    await initFleet({ dir: node.home.dir, name: 'acme', nodeName: node.name, ...world })
    await saveSettings(world.disk, node.home.settings, settings)
  }

  const nodes = new Map<NodeName, TreeNode>()
  /** Machines with the disk of another one. */
  const copies: TreeNode[] = []
  const root = place({ name: 'root', site: 'main' })
  nodes.set('root', root)
  const nodeNamed = (name: NodeName): TreeNode => {
    const node = nodes.get(name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    return node
  }
  const urlOf = (name: NodeName) => `https://${nodeNamed(name).simulated.address}:${controlPort}`
  for (const site of sites.slice(1)) simulation.network.link(site, spec.link ?? {})

  await simulation.until(
    (async () => {
      await init(root)
      await root.start()
      const { clock, random, disk } = root.simulated.world
      const fleet = await openFleet({ dir: root.home.dir, clock, random, disk })
      const token = await fleet.createToken({ ttlMs: 24 * 3600_000, uses: 100_000, parents: [urlOf('root')] })
      for (const { name, site, parents, settings } of spec.nodes) {
        const node = place({ name, site })
        nodes.set(name, node)
        const { world } = node.simulated
        await join(world, { token, name, site, home: node.home.dir, parents: parents.map(urlOf), labels: {} })
        const joined = await loadSettings(world.disk, node.home.settings)
        await saveSettings(world.disk, node.home.settings, { ...joined, ...settings })
        await node.start()
      }
    })(),
    { withinMs: 24 * 3600_000 },
  )

  function lagging({ reports = true }: Lag = {}): string[] {
    const newest = promises.newestRevision()
    const late: string[] = []
    for (const node of nodes.values()) {
      const state = node.running?.state()
      if (state === undefined) {
        late.push(`${node.name} is down`)
        continue
      }
      if (state.converged !== newest) late.push(`${node.name} converged to ${state.converged}, not ${newest}`)
      else if (state.seen?.differences.length !== 0) late.push(`${node.name} has differences`)
      late.push(...[promises.machineDiffers(node)].filter((differs) => differs !== undefined))
      const known = root.running?.inbox.knowledgeOf(node.name)
      if (reports && (known?.converged !== newest || known.state !== 'converged')) {
        late.push(`the root knows of ${node.name}: ${known?.state} with ${known?.converged}`)
      }
    }
    return late
  }

  return {
    root,
    nodes: [...nodes.values()],
    node: nodeNamed,
    below: (parent) => spec.nodes.filter(({ parents }) => parents[0] === parent).map(({ name }) => nodeNamed(name)),
    async publish(name, version, { size = 8 * MiB } = {}) {
      const bytes = createHash('shake256', { outputLength: size }).update(`${name} ${version}`).digest()
      const path = `/packages/${name}-${version}`
      sources.set(path, { name, version, bytes })
      await simulation.until(releasingOf(root).publish(path, {}))
      promises.published(name, version, createHash('sha256').update(bytes).digest('hex'))
    },
    copyOf(name) {
      const original = nodeNamed(name)
      const copy = place({ name: `${name}-copy`, site: original.simulated.site })
      const [from, to] = [original.simulated.storage as Platter, copy.simulated.storage as Platter]
      for (const [path, entry] of from.entries) to.entries.set(path, entry)
      for (const [path, store] of from.stores) to.stores.set(path, new Map(store))
      copies.push(copy)
      return copy
    },
    async plan(policy) {
      await simulation.until(root.simulated.world.disk.write(root.home.policy, yamlOf(policy)))
      return await simulation.until(releasingOf(root).plan())
    },
    async release(policy, { crashAfterMs, terms = [], sections = [] } = {}) {
      const { disk } = root.simulated.world
      const work = async () => {
        await disk.write(root.home.policy, yamlOf(policy, terms) + sections.map((section) => `${section}\n`).join(''))
        return await releasingOf(root).release({ message: '', allowRemovals: true, onStep: () => {} })
      }
      promises.releasing(policy)
      if (crashAfterMs !== undefined) {
        void work()
        root.simulated.world.clock.after(crashAfterMs, () => root.crash())
        return undefined
      }
      const { number } = await simulation.until(work())
      promises.released(number, policy)
      return number
    },
    async rollback(revision, policy) {
      promises.releasing(policy)
      const options = { revision, message: '', allowRemovals: true, onStep: () => {} }
      const { number } = await simulation.until(releasingOf(root).rollback(options))
      promises.released(number, policy)
      return number
    },
    lagging,
    async converge({ withinMs = 3600_000, stepMs = 1000, ...lag } = {}) {
      const began = simulation.now()
      for (;;) {
        const late = lagging(lag)
        if (late.length === 0) return simulation.now() - began
        if (simulation.now() - began >= withinMs) {
          throw new Error(`seed ${simulation.seed}: after ${withinMs} ms:\n  ${late.join('\n  ')}`)
        }
        await simulation.run({ forMs: stepMs })
      }
    },
    promises,
  }
}

/** The bytes may be shared with other nodes, so a copy is changed. */
function rotAt(contents: readonly { bytes: Uint8Array; replace(bytes: Uint8Array): void }[], at: number): void {
  let from = 0
  for (const { bytes, replace } of contents) {
    if (at >= from && at < from + bytes.length) {
      const copy = Uint8Array.from(bytes)
      copy[at - from] = (copy[at - from] ?? 0) ^ 0x10
      replace(copy)
    }
    from += bytes.length
  }
}

function yamlOf(policy: Policy, terms: string[] = []): string {
  const packages = Object.entries(policy).map(([name, version]) => `      ${name}: ${version}\n`)
  const more = terms.map((term) => `    ${term}\n`).join('')
  return packages.length === 0 ? 'rules: []\n' : `rules:\n  - nodes: all\n${more}    packages:\n${packages.join('')}`
}

function releasingOf(root: TreeNode) {
  const releasing = root.running?.releasing
  if (releasing === null || releasing === undefined) throw new Error('the root is down')
  return releasing
}
