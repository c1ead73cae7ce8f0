// Watches a tree converge, and shows which node fetches what from where.

import type { AnswerOf } from '../../model/local-api/calls.ts'
import { type Readable, readAnswer } from '../../model/local-api/readable.ts'
import { statusSchema } from '../../model/local-api/status.ts'
import type { NodeName } from '../../model/names.ts'
import { parseReport, type Report, type Transfer } from '../../model/report.ts'
import { systemClock } from '../../world/clock.ts'
import { bytesText } from '../text/units.ts'
import type { Tree } from './tree.ts'

export interface Screen {
  title(text: string): void
  say(text: string): void
  /** Shows lines until the next call; only on a screen where they can be removed again. */
  draw(lines: readonly string[]): void
}

const lookEveryMs = 250

/**
 * Resolves with the nodes that converged, by their newest reports at the root: once all did, or
 * after `timeoutMs`.
 */
export async function watchTree(options: {
  tree: Tree
  screen: Screen
  revision: number
  /** Whether a report shows what the caller waits for beside that. */
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

/** Undefined while the node has not reported, or while the root does not answer. */
async function reportAtRoot(tree: Tree, name: NodeName): Promise<Report | undefined> {
  try {
    return await newestReport(tree, name)
  } catch {
    return undefined
  }
}

/** The newest report of a node that the root knows. Throws a Failure if there is none. */
export async function newestReport(tree: Tree, name: NodeName): Promise<Report> {
  const { report } = (await tree.ask('root', `/nodes/${name}`)) as Partial<AnswerOf<'GET /nodes/:name'>>
  return parseReport(report, `report of ${name}`)
}

/** The home of a node; empty if the tree has no such node. */
export function homeIn(tree: Tree, name: NodeName): string {
  return tree.nodes.get(name)?.home ?? ''
}

/** A line for each node that fetches or applies something right now. */
async function travelling(tree: Tree): Promise<string[]> {
  const lines = await Promise.all(
    [...tree.nodes.keys()].map(async (name) => {
      const { transfers = [], applying } = readAnswer(statusSchema, await tree.ask(name, '/status'))
      const texts = transfers.filter(({ state }) => state !== 'complete' && state !== 'failed').map(transferText)
      if (applying === true) texts.push('applying')
      return texts.length === 0 ? [] : [`  ${name.padEnd(10)} ${texts.join('; ')}`]
    }),
  )
  return lines.flat()
}

function transferText({ name, have = 0, size = 1, fromParent = 0, fromSiblings = 0 }: Readable<Transfer>): string {
  const share = String(Math.floor((have / size) * 100)).padStart(3)
  return `${name} ${share} % (parent ${bytesText(fromParent)}, siblings ${bytesText(fromSiblings)})`
}
