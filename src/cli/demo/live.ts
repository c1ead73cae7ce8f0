// Watches a tree converge and shows what travels where while it does.

import type { NodeName } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { type Report, reportSchema, type Transfer } from '../../model/report.ts'
import { systemClock } from '../../world/clock.ts'
import { bytesText } from '../text/units.ts'
import type { Tree } from './tree.ts'

export interface Screen {
  title(text: string): void
  say(text: string): void
  /** Shown until the next call; only where the screen can take it back. */
  draw(lines: readonly string[]): void
}

const lookEveryMs = 250
const parseReport = parserOf(reportSchema)

/** Resolves with the nodes whose newest report at the root says converged, when they are all or the time is up. */
export async function watchTree(options: {
  tree: Tree
  screen: Screen
  revision: number
  /** What a report has to say besides. */
  isDone: (report: Report) => boolean
  timeoutMs: number
}): Promise<NodeName[]> {
  const { tree, screen, revision, isDone, timeoutMs } = options
  const until = systemClock.monotonicMs() + timeoutMs
  const converged = new Set<NodeName>()
  for (;;) {
    for (const name of tree.nodes.keys()) {
      if (converged.has(name)) continue
      const report = await reportAtRoot(tree, name)
      if (report?.converged === revision && report.state === 'converged' && isDone(report)) converged.add(name)
    }
    if (converged.size === tree.nodes.size || systemClock.monotonicMs() > until) break
    screen.draw(await travelling(tree))
    await new Promise<void>((resolve) => setTimeout(resolve, lookEveryMs))
  }
  screen.draw([])
  return [...converged].sort()
}

async function reportAtRoot(tree: Tree, name: NodeName): Promise<Report | undefined> {
  try {
    const info = (await tree.ask('root', `/nodes/${name}`)) as { report: unknown }
    return parseReport(info.report, `report of ${name}`)
  } catch {
    // It has not reported yet.
    return undefined
  }
}

/** A line for each node that takes something in right now. */
async function travelling(tree: Tree): Promise<string[]> {
  const lines = await Promise.all(
    [...tree.nodes.keys()].map(async (name) => {
      const status = (await tree.ask(name, '/status')) as { transfers: Transfer[]; applying: boolean }
      const coming = status.transfers.filter((each) => each.state !== 'complete' && each.state !== 'failed')
      const texts = coming.map((each) => {
        const share = Math.floor((each.have / each.size) * 100)
        return `${each.name} ${String(share).padStart(3)} % (parent ${bytesText(each.fromParent)}, siblings ${bytesText(each.fromSiblings)})`
      })
      if (status.applying) texts.push('applying')
      return texts.length === 0 ? [] : [`  ${name.padEnd(10)} ${texts.join('; ')}`]
    }),
  )
  return lines.flat()
}
