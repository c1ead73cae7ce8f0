// Whether a restored root knows by now whom the fleet has turned away since the copy. With each request
// for news a child names what it knows of that, and sends what its parent lacks.

import type { NodeName } from '../../model/names.ts'
import type { Clock } from '../../world/world.ts'
import { createVoices } from '../voices.ts'
import type { Revocations } from './revocations.ts'

export interface RevokedHeard {
  /** The digest of what a child knows. */
  heard(node: NodeName, digest: string): void
  /**
   * Whether more than half of the children know nothing but what this root knows. The node that asks to
   * be entered again has no voice. `isAlone`: there is no record of any other node.
   */
  isComplete(asking: NodeName, options: { isAlone: boolean }): boolean
}

export function createRevokedHeard(
  clock: Pick<Clock, 'monotonicMs'>,
  revocations: Pick<Revocations, 'digest'>,
): RevokedHeard {
  const voices = createVoices<{ node: NodeName; digest: string }>(clock)
  return {
    heard: (node, digest) => voices.heard(node, { node, digest }),
    isComplete(asking, { isAlone }) {
      const others = voices.recent().filter(({ node }) => node !== asking)
      if (others.length === 0) return isAlone
      const same = others.filter(({ digest }) => digest === revocations.digest())
      return 2 * same.length > others.length
    },
  }
}
