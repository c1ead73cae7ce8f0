// Dials a child back, because the child has asked for that: `banyan doctor` wants to know whether the
// child can be reached. The only place where a parent dials a child. It dials the address that the
// child calls from and no other, seldom, and says nothing.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { userPortMin } from '../../model/ports.ts'
import type { ReachAnswer } from '../../model/wire/reach.ts'
import { createAllowances } from '../../work/allowances.ts'

export interface DialBack {
  /** Throws `refused`: the node asks too often, or names a port that no node has. */
  reach(asked: { node: NodeName; address: string; control: number; swarm: number }): Promise<ReachAnswer>
}

export interface DialBackParts {
  monotonicMs: () => number
  /** Null if the connection was taken, otherwise why not. */
  connect: (address: string, port: number) => Promise<string | null>
  swarmPort: () => number
}

export function createDialBack({ monotonicMs, connect, swarmPort }: DialBackParts): DialBack {
  const perNode = createAllowances({
    ...{ monotonicMs, max: 2, everyMs: limits.dialBackEveryMs, kept: limits.dialBackNodesKept },
  })
  const inAll = createAllowances({ monotonicMs, max: limits.dialBacksMax, everyMs: 1_000, kept: 1 })
  return {
    async reach({ node, address, control, swarm }) {
      if ([control, swarm].some((port) => port < userPortMin)) throw new Failure('refused', 'no node listens there')
      if (!perNode.take(node) || !inAll.take('all')) {
        throw new Failure('refused', 'asked too often whether it can be reached', { retry: 'later' })
      }
      const [controlFound, swarmFound] = await Promise.all([connect(address, control), connect(address, swarm)])
      return { address, swarmPort: swarmPort(), control: controlFound, swarm: swarmFound }
    },
  }
}
