// The sibling that brings small objects to this site: asked in place of the parent, as long as it
// answers. What it sends is worth as much as what anybody sends: its digest decides.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { identityOf } from '../../trust/identity.ts'
import type { Http, TlsIdentity } from '../../world/world.ts'
import type { ParentCalls } from './parent-calls.ts'

/** A node at this node's own site, and its control port. */
export interface NearNode {
  node: NodeName
  address: string
  port: number
}

export interface NearObjects {
  /**
   * Replaces the sibling; null if the parent is to be asked. `onFailed` is called if the sibling
   * fails.
   */
  set(near: NearNode | null, onFailed?: () => void): void
  /** How to ask the sibling; undefined if the parent is to be asked. */
  ask(): ParentCalls['ask'] | undefined
  /** The sibling does not answer, or not with what was asked for: it is left alone for a while. */
  failed(): void
}

export function createNearObjects(parts: {
  http: Http
  tls: () => TlsIdentity
  monotonicMs: () => number
}): NearObjects {
  let near: NearNode | null = null
  let told: (() => void) | undefined
  let restsUntilMs = Number.NEGATIVE_INFINITY
  return {
    set: (next, onFailed) => {
      if (next?.node !== near?.node || next?.address !== near?.address) restsUntilMs = Number.NEGATIVE_INFINITY
      near = next
      told = onFailed
    },
    ask: () => {
      const asked = near
      if (asked === null || parts.monotonicMs() < restsUntilMs) return undefined
      return async (call) => {
        const { node, address, port } = asked
        const url = `https://${address.includes(':') ? `[${address}]` : address}:${port}`
        const bounds = { timeoutMs: limits.requestTimeoutMs, tls: parts.tls() }
        const reply = await parts.http.request({ ...bounds, ...call, url })
        const identity = identityOf(reply.certificate)
        if (identity.role === 'node' && identity.name === node && reply.status < 500) return reply
        throw new Failure('refused', `${url} does not answer as ${node}`, { retry: 'later' })
      }
    },
    failed: () => {
      if (parts.monotonicMs() < restsUntilMs) return
      restsUntilMs = parts.monotonicMs() + limits.nearObjectsRestMs
      told?.()
    },
  }
}
