// The result of the demo: each node's state and where its bytes came from, and what crossed each
// site's link.

import type { NodeName, PackageName, PackageVersion } from '../../model/names.ts'
import type { Report, Transfer } from '../../model/report.ts'

export interface Step {
  name: string
  revision: number
  seconds: number
  /** The nodes that had no difference to that revision in the end. */
  converged: NodeName[]
  /** The other nodes. */
  late: NodeName[]
}

export interface NodeRow {
  node: NodeName
  site: string
  parent: NodeName | null
  converged: number | null
  installed: Record<PackageName, PackageVersion>
  /** Bytes of pieces that its parent gave. */
  fromParent: number
  /** Bytes of pieces that its siblings gave. */
  fromSiblings: number
}

export interface LinkRow {
  site: string
  package: PackageName
  version: PackageVersion
  payloadBytes: number
  /** Everything that came in over the site's link for this payload, protocol and TLS included. */
  linkBytes: number
  /** `linkBytes / payloadBytes`. */
  ratio: number
}

export interface DemoResult {
  ok: boolean
  steps: Step[]
  nodes: NodeRow[]
  links: LinkRow[]
}

/** Pure. `root` has no link: what it publishes is there from the start. */
export function resultOf(steps: Step[], reports: readonly Report[], root: NodeName): DemoResult {
  const nodes = reports.map(rowOf).sort((a, b) => (a.node < b.node ? -1 : 1))
  const links = linksOf(reports.filter((report) => report.node !== root))
  return { ok: steps.every((step) => step.late.length === 0), steps, nodes, links }
}

function rowOf(report: Report): NodeRow {
  const installed = report.packages.flatMap(({ name, version }) => (version === null ? [] : [[name, version] as const]))
  const sum = (value: (transfer: Transfer) => number) =>
    report.transfers.reduce((total, each) => total + value(each), 0)
  return {
    node: report.node,
    site: report.site ?? '',
    parent: report.parent,
    converged: report.converged,
    installed: Object.fromEntries(installed),
    fromParent: sum((transfer) => transfer.fromParent),
    fromSiblings: sum((transfer) => transfer.fromSiblings),
  }
}

function linksOf(reports: readonly Report[]): LinkRow[] {
  const rows = new Map<string, LinkRow>()
  for (const report of reports) {
    for (const transfer of report.transfers) {
      const site = report.site ?? ''
      const key = `${site} ${transfer.infoHash}`
      const row = rows.get(key) ?? {
        site,
        package: transfer.name,
        version: transfer.version,
        payloadBytes: transfer.size,
        linkBytes: 0,
        ratio: 0,
      }
      row.linkBytes += transfer.overLink
      row.ratio = Math.round((row.linkBytes / row.payloadBytes) * 10_000) / 10_000
      rows.set(key, row)
    }
  }
  return [...rows.values()].sort((a, b) =>
    `${a.site} ${a.package} ${a.version}` < `${b.site} ${b.package} ${b.version}` ? -1 : 1,
  )
}
