// The payloads that ordinary clients may have: those that are whole here, of manifests that the
// trusted revision names. The engine asks about each payload that a client wants, and nothing of a
// refused payload leaves this node.

import type { InfoHash, Sha256 } from '../model/names.ts'
import type { Command } from './engine.ts'
import type { Holding } from './holdings/holding.ts'

export interface PlainGiving {
  /**
   * Replaces the manifests whose payloads clients may have. There are none before the first call.
   */
  setNamed(manifests: ReadonlySet<Sha256>): void
  /** Whether clients may have this payload now. */
  gives(infoHash: InfoHash): boolean
  /** A client asks for this payload, and waits. */
  called(infoHash: InfoHash): void
  /** Whether a client waits for this payload to be opened. */
  isWaitedFor(infoHash: InfoHash): boolean
  /** The command to open this holding was sent to the engine. */
  opened(infoHash: InfoHash): void
  /** The engine has ended, and all its clients are gone. */
  forget(): void
}

export function createPlainGiving(parts: {
  holding: (infoHash: InfoHash) => Holding | undefined
  send: (command: Extract<Command, { kind: 'admit' | 'turn-away' }>) => void
  /** Has the holding opened. Returns whether the engine has it open already. */
  wake: (infoHash: InfoHash) => boolean
}): PlainGiving {
  const { send } = parts
  const waiting = new Set<InfoHash>()
  const admitted = new Set<InfoHash>()
  let named: ReadonlySet<Sha256> = new Set()

  const gives = (infoHash: InfoHash): boolean => {
    const holding = parts.holding(infoHash)
    return holding?.progress.kind === 'complete' && named.has(holding.spec.manifest)
  }
  const admit = (infoHash: InfoHash) => {
    waiting.delete(infoHash)
    admitted.add(infoHash)
    send({ kind: 'admit', infoHash })
  }
  return {
    setNamed: (manifests) => {
      named = manifests
      for (const infoHash of new Set([...waiting, ...admitted])) {
        if (gives(infoHash)) continue
        waiting.delete(infoHash)
        admitted.delete(infoHash)
        send({ kind: 'turn-away', infoHash })
      }
    },
    gives,
    called: (infoHash) => {
      if (!gives(infoHash)) return send({ kind: 'turn-away', infoHash })
      waiting.add(infoHash)
      if (parts.wake(infoHash)) admit(infoHash)
    },
    isWaitedFor: (infoHash) => waiting.has(infoHash),
    opened: (infoHash) => {
      if (waiting.has(infoHash)) admit(infoHash)
    },
    forget: () => {
      waiting.clear()
      admitted.clear()
    },
  }
}
