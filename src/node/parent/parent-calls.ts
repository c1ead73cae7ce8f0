// One call to the parent: chooses among several parents, and checks who answers and with which
// status.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName, Sha256 } from '../../model/names.ts'
import { type ParentPlace, parentPlaceOf } from '../../model/settings.ts'
import { identityOf } from '../../trust/identity.ts'
import type { Http, HttpReply, TlsIdentity } from '../../world/world.ts'
import { WrongParent } from '../setup/parent-names.ts'
import { createParentChoice } from './parent-choice.ts'

interface ParentCall {
  method: 'GET' | 'POST'
  path: string
  body?: string | Uint8Array
  responseMaxBytes: number
  /** `limits.requestTimeoutMs` if absent. */
  timeoutMs?: number
  signal?: AbortSignal
  /** See `Http.request`. */
  onPart?: (part: Uint8Array, status: number) => void
}

export interface ParentCalls {
  /**
   * Resolves with any answer whose status is below 500 and not 429. Throws `untrusted` if the one
   * that answers is not the parent, and a Failure with `retry: 'later'` if the parent cannot be
   * reached or wants to be asked later; then the next call goes to the next parent.
   */
  ask(call: ParentCall): Promise<HttpReply>
  /** The parent that answered last, and its address. */
  parent(): { node: NodeName; address: string } | null
  /**
   * Asks the next parent for a while. Several forged answers of one parent turn away from that
   * parent alone.
   */
  turnAway(): void
}

/** Which node is the parent at each place. */
export interface KnownParents {
  nameAt(place: ParentPlace): NodeName | undefined
  /** The first node that answers at a place is the parent there from now on. */
  answered(place: ParentPlace, name: NodeName): void
  /** Another node than the parent answered. */
  refused(failure: WrongParent): void
}

export interface ParentCallsParts {
  http: Http
  tls: () => TlsIdentity
  /** As in the settings: the preferred one first. */
  parents: readonly string[]
  names: KnownParents
  /** Whether the fleet has turned this key away. */
  isRevoked?: (keyId: Sha256) => boolean
  /** Milliseconds on a clock that never goes back. */
  monotonicMs: () => number
}

export function createParentCalls(parts: ParentCallsParts): ParentCalls {
  const choice = createParentChoice(parts.parents.length)
  const places = parts.parents.map(parentPlaceOf)
  let answered: { node: NodeName; address: string; index: number } | null = null

  return {
    async ask(call) {
      const index = choice.current(parts.monotonicMs())
      const place = places[index]
      if (place === undefined) throw new Failure('unreachable', 'this node has no parent', { retry: 'later' })
      const { url } = place
      try {
        const reply = await parts.http.request({ timeoutMs: limits.requestTimeoutMs, ...call, url, tls: parts.tls() })
        answered = {
          node: parentIn(reply, place, parts),
          address: new URL(url).hostname.replace(/^\[|\]$/g, ''),
          index,
        }
        throwIfLater(reply, url, call.path)
        return reply
      } catch (error) {
        const isAborted = call.signal?.aborted === true
        const isLater = error instanceof Failure && error.retry === 'later'
        if (!isAborted && isLater) choice.failed(index, parts.monotonicMs())
        throw error
      }
    },
    parent: () => answered && { node: answered.node, address: answered.address },
    turnAway() {
      const nowMs = parts.monotonicMs()
      choice.failed(answered?.index ?? choice.current(nowMs), nowMs)
    },
  }
}

/**
 * The reply if it is a success. Throws `refused`, worth another try, for any other; `what` names
 * the call.
 */
export function accepted(reply: HttpReply, what: string): HttpReply {
  if (reply.status < 300) return reply
  const text = new TextDecoder().decode(reply.body.subarray(0, 200))
  throw new Failure('refused', `the parent answered ${reply.status} to ${what}: ${text}`, { retry: 'later' })
}

/** The name of the parent that answered. Throws `WrongParent` for any other node. */
function parentIn(
  { certificate }: HttpReply,
  place: ParentPlace,
  { names, isRevoked }: Pick<ParentCallsParts, 'names' | 'isRevoked'>,
): NodeName {
  const { url } = place
  const identity = identityOf(certificate)
  if (identity.role !== 'node') throw new Failure('untrusted', `${url} does not answer as a node`, { retry: 'later' })
  if (isRevoked?.(identity.keyId) === true) {
    throw new Failure('untrusted', `${identity.name} at ${url} was revoked`, { retry: 'later' })
  }
  const expected = names.nameAt(place)
  if (expected === undefined) names.answered(place, identity.name)
  if (expected === undefined || expected === identity.name) return identity.name
  const wrong = new WrongParent({ url, expected, answered: identity.name })
  names.refused(wrong)
  throw wrong
}

function throwIfLater({ status, retryAfterMs }: HttpReply, url: string, path: string): void {
  if (status < 500 && status !== 429) return
  const message = `${url} answered ${status} to ${path.slice(0, 100)}`
  throw new Failure('refused', message, { retry: 'later', retryAfterMs })
}
