// Which peers of a holding to hang up on: those that send wrong pieces although they were told, and
// those that do not answer.

import { limits } from '../../../model/limits.ts'
import type { InfoHash, NodeName } from '../../../model/names.ts'
import { backOffMs } from '../../../work/back-off.ts'
import type { Random } from '../../../world/world.ts'
import type { EngineReport } from '../../engine.ts'
import type { Links } from '../links.ts'
import type { Picker } from '../picker/picker.ts'
import { createBlame } from './blame.ts'
import { createSuspicions, type Suspicions } from './suspicions.ts'

export interface Verdicts extends Pick<Suspicions, 'conceded'> {
  onBlock(node: NodeName): void
  onRight(piece: number): Promise<void>
  onWrong(piece: number): void
  onSilent(node: NodeName): void
  /** Whether the node may have sent wrong blocks: it gives whole pieces, each alone. */
  isSuspect(node: NodeName): boolean
  /** All nodes that have sent blocks since the holding was opened. */
  senders(): NodeName[]
}

export function createVerdicts(parts: {
  infoHash: InfoHash
  links: Pick<Links, 'ban' | 'drop' | 'isParent' | 'tellWrong'>
  picker: Pick<Picker, 'again' | 'whole'>
  random: Pick<Random, 'fraction'>
  /** Reads a verified piece. */
  read: (piece: number) => Promise<Uint8Array>
  report: (report: EngineReport) => void
}): Verdicts {
  const { links, picker, random } = parts
  const blame = createBlame()
  const suspicions = createSuspicions()
  const senders = new Set<NodeName>()

  const wrongFrom = (from: NodeName, piece: number) => {
    if (!suspicions.isAttack(from, piece)) return links.tellWrong(from, piece)
    parts.report({ kind: 'poisoned', infoHash: parts.infoHash, from, piece })
    const msFor = (failures: number) =>
      backOffMs({ failures, fraction: random.fraction(), firstMs: limits.banFirstMs, ceilingMs: limits.banCeilingMs })
    links.ban(from, { msFor, because: 'it gave a wrong piece' })
  }
  return {
    onBlock: (node) => {
      senders.add(node)
    },
    onRight: async (piece) => {
      for (const node of await blame.onRight(piece, () => parts.read(piece))) wrongFrom(node, piece)
    },
    onWrong: (piece) => {
      const whole = picker.whole(piece)
      const nodes = whole === null ? [] : blame.onWrong(piece, whole)
      const [culprit] = nodes
      picker.again(piece)
      if (culprit !== undefined && nodes.length === 1) wrongFrom(culprit, piece)
      // Each of them looks at what it has; who was wrong is seen once the piece is right.
      else for (const node of nodes) links.tellWrong(node, piece)
    },
    // The parent is dialled again with back-off: whatever ails it, there may be nobody else.
    onSilent: (node) => {
      const because = 'it was asked and says nothing'
      if (links.isParent(node)) links.drop(node, because)
      else links.ban(node, { msFor: () => limits.silentRestMs, because })
    },
    conceded: suspicions.conceded,
    isSuspect: (node) => blame.isDisputed(node) || suspicions.isKnown(node),
    senders: () => [...senders],
  }
}
