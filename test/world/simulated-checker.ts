// Checks payloads in the test's own process, over any disk.

import { checkedPieces, type PayloadChecker } from '../../src/swarm/checking/checker.ts'
import type { Disk } from '../../src/world/world.ts'

export function simulatedChecker(disk: Pick<Disk, 'read'>): PayloadChecker {
  return {
    check: async (job) => {
      const content = await disk.read(job.path)
      return await checkedPieces(job, async (into, position) => {
        const found = content.subarray(position, position + into.length)
        into.set(found)
        return found.length
      })
    },
  }
}
