// The sibling that brings small objects to this site: asked in place of the parent, as long as it
// answers. What it sends is worth as much as what anybody sends: its digest decides.

import { addressInUrl } from '../../model/address.ts'
import { BoundedMap } from '../../model/bounded-map.ts'
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
  /** The sibling to ask; undefined if the parent is to be asked. */
  sibling(): NearSibling | undefined
}

export interface NearSibling {
  ask: ParentCalls['ask']
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
  /** When siblings failed last, by place. */
  const failedAtMs = new BoundedMap<string, number>(siblingsTried)
  /** Whoever has met none of several siblings may be cut off from all of them. */
  const isLeftAlone = (place: string) => {
    const sinceMs = parts.monotonicMs() - limits.nearObjectsRestMs
    const fresh = [...failedAtMs.entries()].filter(([, atMs]) => atMs > sinceMs)
    return fresh.length === siblingsTried || fresh.some(([failed]) => failed === place)
  }
  return {
    set: (next, onFailed) => {
      near = next
      told = onFailed
    },
    sibling: () => {
      const asked = near
      const onFailed = told
      if (asked === null || isLeftAlone(placeOf(asked))) return undefined
      const ask: NearSibling['ask'] = async (call) => {
        const { node, address, port } = asked
        const url = `https://${addressInUrl(address)}:${port}`
        const bounds = { timeoutMs: limits.requestTimeoutMs, tls: parts.tls() }
        const reply = await parts.http.request({ ...bounds, ...call, url })
        const identity = identityOf(reply.certificate)
        if (identity.role === 'node' && identity.name === node && reply.status < 500) return reply
        throw new Failure('refused', `${url} does not answer as ${node}`, { retry: 'later' })
      }
      const failed = () => {
        if (isLeftAlone(placeOf(asked))) return
        failedAtMs.set(placeOf(asked), parts.monotonicMs())
        onFailed?.()
      }
      return { ask, failed }
    },
  }
}

/** So many siblings are tried before the parent is asked for everything. */
const siblingsTried = 2

function placeOf({ node, address }: NearNode): string {
  return `${node} ${address}`
}
