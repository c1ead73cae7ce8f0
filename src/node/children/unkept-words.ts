// Children that said of themselves what did not hold: told in the log, a few lines each, and as one
// problem in the report of this node.

import { BoundedMap } from '../../model/bounded-map.ts'
import { unreachable } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Unkept } from '../../tracker/tracker.ts'
import { createFewLines } from '../../work/few-lines.ts'
import type { Clock, Log, Timer } from '../../world/world.ts'

export type UnkeptWord = Unkept | { kind: 'not-wanted'; node: NodeName; infoHash: InfoHash }

export interface UnkeptWords {
  add(word: UnkeptWord): void
  stop(): void
}

export interface UnkeptWordsParts {
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  log: Log
  /** Name and version of the package; the info hash where they are not known. */
  nameOf: (infoHash: InfoHash) => string
  onProblem: (problem: string | null) => void
}

export function startUnkeptWords({ clock, log, nameOf, onProblem }: UnkeptWordsParts): UnkeptWords {
  const told = new BoundedMap<NodeName, { text: string; untilMs: number }>(limits.unkeptToldMax)
  const lines = createFewLines(clock)
  let timer: Timer | undefined

  const tell = () => {
    const nowMs = clock.monotonicMs()
    for (const [node, { untilMs }] of [...told]) if (untilMs <= nowMs) told.delete(node)
    onProblem(problemOf([...told].map(([node, { text }]) => `${node} ${text}`)))
    timer?.cancel()
    const nextMs = Math.min(...[...told.values()].map(({ untilMs }) => untilMs))
    timer = told.size === 0 ? undefined : clock.after(nextMs - nowMs, tell)
  }
  return {
    add: (word) => {
      const { node } = word
      const text = wordsOf(word, nameOf)
      const known = told.get(node)
      const untilMs = clock.monotonicMs() + limits.unkeptToldMs
      // The same again keeps it told, and is no news.
      if (known?.text === text) known.untilMs = untilMs
      else told.set(node, { text, untilMs })
      if (lines.mayLog(`word not kept: ${word.kind}`, node)) log.warn('word not kept', { node, reason: text })
      if (known?.text !== text) tell()
    },
    stop: () => timer?.cancel(),
  }
}

function wordsOf(word: UnkeptWord, nameOf: (infoHash: InfoHash) => string): string {
  switch (word.kind) {
    case 'gave-nothing':
      return `says that it has ${nameOf(word.infoHash)} whole, and its siblings received nothing from it`
    case 'took-back':
      return `said that it has ${nameOf(word.infoHash)} whole, and then that it has nothing of it`
    case 'too-many':
      return `says that it has more than ${limits.trackerWholesOfNodeMax} payloads`
    case 'not-wanted':
      return `asks for ${nameOf(word.infoHash)}, which the policy does not let it have`
    default:
      return unreachable(word)
  }
}

const namedMax = 3

function problemOf(texts: readonly string[]): string | null {
  if (texts.length === 0) return null
  const more = texts.length > namedMax ? `; and ${texts.length - namedMax} more` : ''
  return `children whose word does not hold: ${texts.slice(-namedMax).join('; ')}${more}`
}
