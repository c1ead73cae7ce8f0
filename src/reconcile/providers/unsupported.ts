// A kind that this version of banyan cannot install: every step fails and says so.

import type { Kind } from '../../model/manifest.ts'
import { type Provider, refusedOutcome } from './provider.ts'

export function unsupportedProvider(kind: Kind): Provider {
  return {
    kind,
    inspect: async () => [],
    ensure: async (steps) => steps.map(({ action }) => refusedOutcome(action, `unsupported kind: ${kind}`)),
  }
}
