// The stage in which a node becomes a parent: its tracker, its control port, and the metrics that
// children may ask for.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import { aheadText } from '../trust/versions-heard.ts'
import { keptFor } from '../work/kept-for.ts'
import { askedOfChildren } from './children/asked-of-children.ts'
import { createChildWants } from './children/child-wants.ts'
import type { LostObjects } from './children/lost-objects.ts'
import { type Serving, startServing } from './children/serving.ts'
import { startUnkeptWords } from './children/unkept-words.ts'
import type { Jobs } from './effects/jobs.ts'
import type { NodeParts } from './node-parts.ts'
import type { Uplink } from './parent/uplink.ts'
import type { ParentSide } from './parent-side.ts'
import type { Self } from './self.ts'
import { isCutOff, swarmSiteOf } from './state/in-force.ts'

export interface ChildrenSide {
  serving: Serving
  /** OpenMetrics text, made anew. */
  metrics(): Promise<string>
  stop(): Promise<void>
}

/** Throws `conflict` if the control port is taken. */
export async function startChildrenSide(
  parts: NodeParts,
  {
    uplink,
    self,
    parentSide,
    jobs,
    lost,
  }: { uplink: Uplink; self: Self; parentSide: ParentSide; jobs: Jobs; lost: LostObjects | null },
): Promise<ChildrenSide> {
  const { world, settings, trust } = parts
  const { clock, disk } = world
  const { swarm, source, live, liveSettings, bandwidth, onAttack } = self
  const { inbox, reports } = parentSide
  const metrics = async () => {
    // Loaded at the first question: most nodes are never asked.
    const { metricsNow } = await import('./metrics.ts')
    return await metricsNow({
      ...{ clock, disk, home: parts.home, version: parts.version, swarm, inbox, bandwidth, state: live.state },
      settings: liveSettings.limits,
      linkRate: liveSettings.linkRate,
    })
  }
  const unkept = startUnkeptWords({
    ...{ clock, log: world.log, nameOf: (infoHash) => nameIn(swarm, infoHash) },
    onProblem: (problem) => live.dispatch({ kind: 'children-judged', problem }),
  })
  const wants = createChildWants({
    ...{ clock, log: world.log, inbox, revision: () => live.state().revision },
    onRefused: (node, infoHash) => unkept.add({ kind: 'not-wanted', node, infoHash }),
  })
  const serving = await startServing({
    ...{ world, settings, trust, uplink, swarm, source, onAttack },
    tls: parts.identity().tls,
    connect: parts.connect,
    site: () => swarmSiteOf(live.state()),
    isCutOff: () => isCutOff(live.state(), clock.now()),
    takeReports: reports.take,
    onWanted: (wanted) => live.dispatch({ kind: 'children-wanted', wanted }),
    ...{ mayWant: wants.may, onUnkept: unkept.add, signedSite: (node) => inbox.knowledgeOf(node)?.site },
    isNamed: (manifest) => live.state().revision?.named.has(manifest) === true,
    held: jobs.holding.held,
    clockHeard: (node, at) => parts.root?.fleet.clockHeard(node, at),
    versionHeard: versionsHeardBy(parts),
    ...(parts.root && lost && { lost: askedOfChildren(lost, parts.root.fleet.metadata) }),
    revocations: parts.revocations,
    revokedHeard: (node, digest) => parts.root?.fleet.revokedHeard(node, digest),
    // Any node may ask, and the metrics of a large subtree are much work.
    metrics: keptFor({ clock, ms: limits.metricsKeptMs }, metrics),
  })
  self.ports.control = serving.controlPort
  lost?.onAsk(() => serving.tellChildren(limits.lostChildrenAskedMax))
  self.children.has = serving.isChild
  const stop = async () => {
    unkept.stop()
    await serving.stop()
  }
  return { serving, metrics, stop }
}

function nameIn({ transfer }: Self['swarm'], infoHash: InfoHash): string {
  const known = transfer(infoHash)
  return known === undefined ? `payload ${infoHash}` : `${known.name} ${known.version}`
}

/** Logs once that the children trust something newer than this root has signed. */
function versionsHeardBy({ root, world }: NodeParts): (node: NodeName, version: number) => void {
  if (root === null) return () => {}
  let isTold = false
  return (node, version) => {
    root.fleet.versionHeard(node, version)
    const ahead = isTold ? null : root.fleet.ahead()
    if (ahead === null) return
    isTold = true
    world.log.error(aheadText(ahead))
  }
}
