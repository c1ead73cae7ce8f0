// Work on the files of a holding that the engine must not have open meanwhile.

import type { InfoHash } from '../model/names.ts'
import { takingTurnsByKey } from '../work/turns.ts'
import type { OpeningEvent } from './opening-events.ts'

export interface ClosedWork {
  /**
   * Does the work once the engine has closed the holding, and keeps the holding closed until the
   * work is done. Several pieces of work on one holding are done one after the other. Rejects with
   * whatever the work throws.
   */
  whileClosed(infoHash: InfoHash, work: () => Promise<void>): Promise<void>
  /** The engine has closed this holding, or has ended. */
  closed(infoHash: InfoHash): void
}

export function createClosedWork(parts: {
  isClosed: (infoHash: InfoHash) => boolean
  dispatch: (event: Extract<OpeningEvent, { kind: 'keep-closed' | 'let-open' }>) => void
}): ClosedWork {
  const inTurn = takingTurnsByKey<InfoHash>()
  const waiting = new Map<InfoHash, () => void>()
  const done = async (infoHash: InfoHash, work: () => Promise<void>): Promise<void> => {
    try {
      const closed = new Promise<void>((resolve) => waiting.set(infoHash, resolve))
      parts.dispatch({ kind: 'keep-closed', infoHash })
      if (!parts.isClosed(infoHash)) await closed
      await work()
    } finally {
      waiting.delete(infoHash)
      parts.dispatch({ kind: 'let-open', infoHash })
    }
  }
  return {
    whileClosed: (infoHash, work) => inTurn(infoHash, () => done(infoHash, work)),
    closed: (infoHash) => waiting.get(infoHash)?.(),
  }
}
