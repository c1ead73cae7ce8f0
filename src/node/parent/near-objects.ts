// The sibling that brings small objects to this site: asked in place of the parent, as long as it
// answers. What it sends is worth as much as what anybody sends: its digest decides.

import { addressInUrl } from '../../model/address.ts'
import { BoundedMap } from '../../model/bounded-map.ts'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { asSibling } from '../../model/wire/object-frames.ts'
import { identityOf } from '../../trust/identity.ts'
import type { Clock, Http, TlsIdentity } from '../../world/world.ts'
import type { ParentCalls } from './parent-calls.ts'

/** A node at this node's own site, and its control port. */
export interface NearNode {
  node: NodeName
  address: string
  port: number
}

/** What the tracker is to know of the sibling that it named. */
export interface NearWords {
  /** The sibling does not answer, or not with what was asked for. */
  failed(): void
  /** The sibling asks a sibling itself: the tracker may have named another one meanwhile. */
  elsewhere(): void
}

export interface NearObjects {
  /** Replaces the sibling; null if the parent is to be asked. */
  set(near: NearNode | null, told?: NearWords): void
  /** The sibling to ask; undefined if the parent is to be asked. */
  sibling(): NearSibling | undefined
  /** See `Upstream.brings`. */
  brings(): AbortSignal | undefined
}

export interface NearSibling {
  /** Throws as soon as `left` is aborted. 503 is an answer: the object cannot be had now. */
  ask: ParentCalls['ask']
  /** Another one is to be asked in its place, or the parent. */
  left: AbortSignal
  /** The sibling does not answer, or not with what was asked for: it is left alone for a while. */
  failed(): void
  /**
   * The sibling says that it asks a sibling itself. Resolves once another one is named, or after a
   * while.
   */
  elsewhere(): Promise<void>
}

interface NearParts {
  http: Http
  tls: () => TlsIdentity
  monotonicMs: () => number
  after: Clock['after']
}

/** A sibling, from when it was named until another one is, or none, or it fails. */
interface Tenure {
  near: NearNode
  told: NearWords | undefined
  end: AbortController
}

export function createNearObjects(parts: NearParts): NearObjects {
  let tenure: Tenure | null = null
  let bringing = new AbortController()
  /** When siblings failed last, by place. */
  const failedAtMs = new BoundedMap<string, number>(siblingsTried)
  /** Whoever has met none of several siblings may be cut off from all of them. */
  const isLeftAlone = (place: string) => {
    const sinceMs = parts.monotonicMs() - limits.nearObjectsRestMs
    const fresh = [...failedAtMs.entries()].filter(([, atMs]) => atMs > sinceMs)
    return fresh.length === siblingsTried || fresh.some(([failed]) => failed === place)
  }
  const current = (): Tenure | undefined => {
    if (tenure === null || isLeftAlone(placeOf(tenure.near))) return undefined
    bringing.abort()
    // A sibling that has rested is asked again.
    if (tenure.end.signal.aborted) tenure = { ...tenure, end: new AbortController() }
    return tenure
  }
  return {
    set: (next, told) => {
      if (tenure !== null && next !== null && isSame(tenure.near, next)) {
        tenure.told = told
        return
      }
      const before = tenure
      tenure = next && { near: next, told, end: new AbortController() }
      before?.end.abort()
      current()
    },
    sibling: () => {
      const asked = current()
      if (asked === undefined) return undefined
      const { end } = asked
      const failed = () => {
        if (end.signal.aborted) return
        failedAtMs.set(placeOf(asked.near), parts.monotonicMs())
        end.abort()
        asked.told?.failed()
      }
      const elsewhere = () => {
        asked.told?.elsewhere()
        return aWhile(parts, end.signal)
      }
      return { ask: askerOf(parts, asked), left: end.signal, failed, elsewhere }
    },
    brings: () => {
      if (current() !== undefined) return undefined
      if (bringing.signal.aborted) bringing = new AbortController()
      return bringing.signal
    },
  }
}

function askerOf({ http, tls }: NearParts, { near: { node, address, port }, end }: Tenure): NearSibling['ask'] {
  return async (call) => {
    const url = `https://${addressInUrl(address)}:${port}`
    const bounds = { timeoutMs: limits.requestTimeoutMs, tls: tls(), signal: end.signal }
    const reply = await http.request({ ...bounds, ...call, url, path: asSibling(call.path) })
    const identity = identityOf(reply.certificate)
    const isAnswer = reply.status < 500 || reply.status === 503
    if (identity.role === 'node' && identity.name === node && isAnswer) return reply
    throw new Failure('refused', `${url} does not answer as ${node}`, { retry: 'later' })
  }
}

/** Resolves after `limits.nearLearnsMs`, or when the signal is aborted. */
function aWhile({ after }: NearParts, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = after(limits.nearLearnsMs, end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

function isSame(one: NearNode, other: NearNode): boolean {
  return one.node === other.node && one.address === other.address && one.port === other.port
}

/** So many siblings are tried before the parent is asked for everything. */
const siblingsTried = 2

function placeOf({ node, address }: NearNode): string {
  return `${node} ${address}`
}
