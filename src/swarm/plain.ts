// What ordinary clients may be given: payloads that are here whole, of manifests that the trusted revision names. The engine
// asks for each payload that somebody wants; nothing else of a payload that may not be given ever leaves this node.

import type { InfoHash, Sha256 } from '../model/names.ts'
import type { Command } from './engine.ts'
import type { Holding } from './holdings/holding.ts'

export interface PlainGiving {
  /** By manifest. Nothing, until it is called. */
  setNamed(manifests: ReadonlySet<Sha256>): void
  gives(infoHash: InfoHash): boolean
  /** Clients wait for this payload. */
  called(infoHash: InfoHash): void
  isWaitedFor(infoHash: InfoHash): boolean
  /** The engine has been told to open it. */
  opened(infoHash: InfoHash): void
  /** There is no engine any longer. */
  forget(): void
}

export function createPlainGiving(parts: {
  holding: (infoHash: InfoHash) => Holding | undefined
  send: (command: Extract<Command, { kind: 'admit' | 'turn-away' }>) => void
  /** Has it opened, and says whether it is open by now. */
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
