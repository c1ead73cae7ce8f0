// The pieces in the `.part` files of simulated nodes: written at once, and safe from a power cut
// once they are synced.

import type { Platter } from './simulated-disk.ts'
import type { SimulatedNode } from './simulation.ts'

export interface SimulatedPart {
  /** The pieces that can be read. */
  pieces: ReadonlyMap<number, Uint8Array>
  write(piece: number, bytes: Uint8Array): void
  /** The piece is in the file already. */
  put(piece: number, bytes: Uint8Array): void
  /** Durable when it resolves. Throws what the disk throws. */
  flush(pieces: readonly number[]): Promise<void>
  clear(): void
}

/** All of a simulation; they outlive engines and daemons. */
export function partsOf(): { of(node: SimulatedNode, path: string): SimulatedPart } {
  const parts = new Map<string, SimulatedPart>()
  return {
    of(node, path) {
      const name = `${node.address} ${path}`
      const part = parts.get(name) ?? createPart(node, `${path}.part`)
      parts.set(name, part)
      return part
    },
  }
}

function createPart(node: SimulatedNode, path: string): SimulatedPart {
  const platter = node.storage as Platter
  const pieces = new Map<number, Uint8Array>()
  const unsynced = new Set<number>()
  let guarded: SimulatedNode['machine'] | undefined

  /** Loses the power: a piece that was not synced is there, or half there, or missing. */
  const loseUnsynced = () => {
    for (const piece of unsynced) {
      const bytes = pieces.get(piece)
      const fate = node.world.random.fraction()
      if (bytes === undefined || fate < 0.3) continue
      if (fate < 0.6) pieces.set(piece, Uint8Array.from(bytes).fill(0, bytes.length >> 1))
      else pieces.delete(piece)
    }
    unsynced.clear()
  }
  return {
    pieces,
    write(piece, bytes) {
      if (guarded !== node.machine) {
        guarded = node.machine
        guarded.life.onEnd(loseUnsynced)
      }
      pieces.set(piece, bytes)
      unsynced.add(piece)
    },
    put: (piece, bytes) => void pieces.set(piece, bytes),
    flush: (synced) =>
      node.machine.life.lasting(platter.delayMs(), () => {
        platter.check('write', path)
        for (const piece of synced) unsynced.delete(piece)
      }),
    clear() {
      pieces.clear()
      unsynced.clear()
    },
  }
}
