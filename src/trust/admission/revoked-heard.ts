// Whether a restored root knows by now whom the fleet has turned away since the copy. With each request
// for news a child names what it knows of that, and sends what its parent lacks.
//
// Statements are signed, so a child can keep some back and can make up none; one honest child is enough
// to bring them all, also later, and what a root hears later holds. So the root waits until all children
// that are there have had their turn, and asks for no number of them: many a root has one child.

import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import type { Clock } from '../../world/world.ts'
import { createVoices } from '../voices.ts'
import type { Revocations } from './revocations.ts'

export interface RevokedHeard {
  /** The digest of what a child knows. */
  heard(node: NodeName, digest: string): void
  /**
   * Whether all children have had their turn since the start, and more than half of them know nothing
   * but what this root knows. The node that asks to be entered again has no voice. `isAlone`: there is
   * no record of any other node.
   */
  isComplete(asking: NodeName, options: { isAlone: boolean }): boolean
}

export function createRevokedHeard(
  clock: Pick<Clock, 'monotonicMs'>,
  revocations: Pick<Revocations, 'digest'>,
): RevokedHeard {
  const startedMs = clock.monotonicMs()
  const voices = createVoices<{ node: NodeName; digest: string }>(clock)
  return {
    heard: (node, digest) => voices.heard(node, { node, digest }),
    isComplete(asking, { isAlone }) {
      const others = voices.recent().filter(({ node }) => node !== asking)
      if (others.length === 0) return isAlone
      if (clock.monotonicMs() - startedMs < limits.revokedVoicesWaitMs) return false
      const same = others.filter(({ digest }) => digest === revocations.digest())
      return 2 * same.length > others.length
    },
  }
}
