// One call to the parent: chooses among several parents, and checks who answers and with which
// status.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { identityOf } from '../../trust/identity.ts'
import type { Http, HttpReply, TlsIdentity } from '../../world/world.ts'
import { createParentChoice } from './parent-choice.ts'

interface ParentCall {
  method: 'GET' | 'POST'
  path: string
  body?: string | Uint8Array
  responseMaxBytes: number
  /** `limits.requestTimeoutMs` if absent. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface ParentCalls {
  /**
   * Resolves with any answer whose status is below 500 and not 429. Throws `untrusted` if the one
   * that answers is no node of the fleet, and a Failure with `retry: 'later'` if the parent cannot
   * be reached or wants to be asked later; then the next call goes to the next parent.
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

export interface ParentCallsParts {
  http: Http
  tls: () => TlsIdentity
  /** URLs of the parents, the preferred one first. */
  parents: readonly string[]
  /** Milliseconds on a clock that never goes back. */
  monotonicMs: () => number
}

export function createParentCalls(parts: ParentCallsParts): ParentCalls {
  const choice = createParentChoice(parts.parents.length)
  let answered: { node: NodeName; address: string; index: number } | null = null

  return {
    async ask(call) {
      const index = choice.current(parts.monotonicMs())
      const url = parts.parents[index]
      if (url === undefined) throw new Failure('unreachable', 'this node has no parent', { retry: 'later' })
      try {
        const reply = await parts.http.request({ timeoutMs: limits.requestTimeoutMs, ...call, url, tls: parts.tls() })
        answered = { node: nodeIn(reply, url), address: new URL(url).hostname.replace(/^\[|\]$/g, ''), index }
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

function nodeIn({ certificate }: HttpReply, url: string): NodeName {
  const identity = identityOf(certificate)
  if (identity.role !== 'node') throw new Failure('untrusted', `${url} does not answer as a node`)
  return identity.name
}

function throwIfLater({ status, retryAfterMs }: HttpReply, url: string, path: string): void {
  if (status < 500 && status !== 429) return
  const message = `${url} answered ${status} to ${path.slice(0, 100)}`
  throw new Failure('refused', message, { retry: 'later', retryAfterMs })
}
