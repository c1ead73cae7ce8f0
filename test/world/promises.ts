// The promises of a tree, whatever happens to it. Some are watched on every node all the time, the
// others are checked once the tree is quiet.

import type { NodeName, PackageName, PackageVersion, Sha256 } from '../../src/model/names.ts'
import type { RunningNode } from '../../src/node/daemon.ts'
import type { Simulation } from './simulation.ts'
import type { Policy, TreeNode } from './tree.ts'

export interface Promises {
  watch(node: TreeNode, running: RunningNode): void
  /** The disk of this node was put back from an older copy: what it had reached counts no more. */
  putBack(node: NodeName): void
  published(name: PackageName, version: PackageVersion, sha256: Sha256): void
  /** From now on, the packages of this revision may be installed. */
  releasing(policy: Policy): void
  released(revision: number, policy: Policy): void
  newestRevision(): number | null
  /** What the node has installed and what it should have, where the two differ. */
  machineDiffers(node: TreeNode): string | undefined
  /** The promises that were broken so far, each once. */
  broken(): string[]
  /** What does not fit together once a tree has converged. */
  inconsistent(nodes: readonly TreeNode[], root: RunningNode): Promise<string[]>
}

interface Heights {
  revision: number
  timestamp: number
  converged: number
  counter: number
}

export function watchPromises(simulation: Simulation): Promises {
  const heights = new Map<NodeName, Heights>()
  const payloads = new Map<string, Sha256>()
  const signed = new Set<string>()
  const wantedBy: string[][] = []
  const broken = new Set<string>()
  const watched = new Set<TreeNode>()
  let newest: { revision: number; policy: Policy } | undefined

  const breaks = (what: string) => broken.add(`at ${simulation.now()}: ${what}`)
  const rises = (node: NodeName, what: keyof Heights, now: number | null | undefined) => {
    const height = heights.get(node) ?? { revision: 0, timestamp: 0, converged: 0, counter: 0 }
    heights.set(node, height)
    if (now === null || now === undefined) return
    if (now < height[what]) breaks(`${what} of ${node} went from ${height[what]} back to ${now}`)
    height[what] = now
  }

  const machineDiffers = (node: TreeNode): string | undefined => {
    const installed = node.machine.packages().map(({ name, version, state }) => `${name} ${version} ${state}`)
    const wanted = Object.entries(newest?.policy ?? {})
      .filter(([, version]) => version !== 'absent')
      .map(([name, version]) => `${name} ${version} whole`)
      .sort()
    return installed.join() === wanted.join() ? undefined : `${node.name} has ${installed}, and should have ${wanted}`
  }

  return {
    machineDiffers,
    watch(node, running) {
      const look = () => {
        const { revision, trusted, converged } = running.state()
        rises(node.name, 'revision', revision?.body.number)
        rises(node.name, 'timestamp', trusted?.timestampVersion)
        rises(node.name, 'converged', converged)
      }
      running.onChange(look)
      look()
      if (watched.has(node)) return
      watched.add(node)
      node.machine.onInstall(({ name, version, sha256 }) => {
        if (!signed.has(`${name} ${version} ${sha256}`)) breaks(`${node.name} installs ${name} ${version} of ${sha256}`)
        const converged = heights.get(node.name)?.converged ?? 0
        const isWanted = wantedBy.slice(converged).some((packages) => packages.includes(`${name} ${version}`))
        if (!isWanted) breaks(`${node.name} was at revision ${converged} and goes back to ${name} ${version}`)
      })
    },
    putBack: (node) => void heights.delete(node),
    published: (name, version, sha256) => payloads.set(`${name} ${version}`, sha256),
    released: (revision, policy) => {
      newest = { revision, policy }
    },
    releasing(policy) {
      // Revision N has its place at N, and the one before the first revision wants nothing.
      if (wantedBy.length === 0) wantedBy.push([])
      wantedBy.push(Object.entries(policy).map(([name, version]) => `${name} ${version}`))
      for (const [name, version] of Object.entries(policy)) {
        signed.add(`${name} ${version} ${payloads.get(`${name} ${version}`)}`)
      }
    },
    newestRevision: () => newest?.revision ?? null,
    broken: () => [...broken],
    async inconsistent(nodes, root) {
      const wrong: string[] = []
      for (const node of nodes) {
        const differs = machineDiffers(node)
        if (differs !== undefined) wrong.push(differs)
        const report = await simulation.until(root.inbox.report(node.name))
        const outcomes = (report?.packages ?? []).map(({ name, version, outcome }) => `${name} ${version} ${outcome}`)
        for (const { name, version, outcome } of report?.packages ?? []) {
          const is = node.machine.packages().find((each) => each.name === name)?.version ?? null
          const well = outcome === 'kept' || outcome === 'changed'
          if (version !== is || !well) wrong.push(`the root knows of ${node.name}: ${outcomes}`)
        }
        if (report?.attacks.some(({ kind }) => kind === 'report-replayed' || kind === 'report-forged')) {
          wrong.push(`${node.name} tells of an attack: ${JSON.stringify(report.attacks)}`)
        }
      }
      return wrong
    },
  }
}
