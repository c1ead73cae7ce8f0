// Which peers of a holding to hang up on: those that sent a wrong piece, and those that do not
// answer.

import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import { backOffMs } from '../../work/back-off.ts'
import type { Random } from '../../world/world.ts'
import type { EngineReport } from '../engine.ts'
import { createBlame, type SentBlock } from './blame.ts'
import type { Links } from './links.ts'
import type { Picker } from './picker/picker.ts'

export interface Verdicts {
  onBlock(piece: number, block: SentBlock): void
  onRight(piece: number): Promise<void>
  onWrong(piece: number): void
  onSilent(node: NodeName): void
  /** All nodes that have sent blocks since the holding was opened. */
  senders(): NodeName[]
}

export function createVerdicts(parts: {
  infoHash: InfoHash
  links: Pick<Links, 'ban' | 'drop' | 'isParent'>
  picker: Pick<Picker, 'again' | 'content'>
  random: Pick<Random, 'fraction'>
  isMissing: (piece: number) => boolean
  /** Reads a verified piece. */
  read: (piece: number) => Promise<Uint8Array>
  report: (report: EngineReport) => void
}): Verdicts {
  const { links, picker, random } = parts
  const blame = createBlame()
  const senders = new Set<NodeName>()

  const poisoned = (from: NodeName, piece: number) => {
    parts.report({ kind: 'poisoned', infoHash: parts.infoHash, from, piece })
    const msFor = (failures: number) =>
      backOffMs({ failures, fraction: random.fraction(), firstMs: limits.banFirstMs, ceilingMs: limits.banCeilingMs })
    links.ban(from, { msFor, because: 'it gave a wrong piece' })
  }
  return {
    onBlock: (piece, block) => {
      senders.add(block.node)
      if (parts.isMissing(piece)) blame.onBlock(piece, block)
    },
    onRight: async (piece) => {
      for (const node of await blame.onRight(piece, () => parts.read(piece))) poisoned(node, piece)
    },
    onWrong: (piece) => {
      const culprit = blame.onWrong(piece, picker.content(piece))
      picker.again(piece, { alone: culprit === undefined })
      if (culprit !== undefined) poisoned(culprit, piece)
    },
    // The parent is dialled again with back-off: whatever ails it, there may be nobody else.
    onSilent: (node) => {
      const because = 'it was asked and says nothing'
      if (links.isParent(node)) links.drop(node, because)
      else links.ban(node, { msFor: () => limits.silentRestMs, because })
    },
    senders: () => [...senders],
  }
}
