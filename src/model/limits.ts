// Every limit of queues, messages, retries and waits. Each is described in the file of its matter
// below src/model/limits/.

import { controlLimits } from './limits/control.ts'
import { machineLimits } from './limits/machine.ts'
import { messageLimits } from './limits/messages.ts'
import { objectLimits } from './limits/objects.ts'
import { policyLimits } from './limits/policy.ts'
import { reconcileLimits } from './limits/reconcile.ts'
import { reportLimits } from './limits/report.ts'
import { repositoryLimits } from './limits/repository.ts'
import { swarmLimits } from './limits/swarm.ts'
import { trackerLimits } from './limits/tracker.ts'
import { trustLimits } from './limits/trust.ts'

/**
 * A name ends with the unit: `Ms`, `S`, `Bytes`, `Chars`, or `Max`, `Kept` and the like for a
 * count.
 */
export const limits = {
  ...messageLimits,
  ...controlLimits,
  ...objectLimits,
  ...trackerLimits,
  ...swarmLimits,
  ...repositoryLimits,
  ...policyLimits,
  ...reconcileLimits,
  ...reportLimits,
  ...trustLimits,
  ...machineLimits,
} as const
