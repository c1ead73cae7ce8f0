// The sibling that brings small objects to this site: asked in place of the parent, as long as it
// answers. What it sends is worth as much as what anybody sends: its digest decides.

import { addressInUrl } from '../../model/address.ts'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { asSibling } from '../../model/wire/object-frames.ts'
import { identityOf } from '../../trust/identity.ts'
import type { Clock, Http, HttpReply, Timer, TlsIdentity } from '../../world/world.ts'
import { createFailures, patienceAt, type Said } from './near-patience.ts'
import type { ParentCalls } from './parent-calls.ts'

/** A node at this node's own site, and its control port. */
export interface NearNode {
  node: NodeName
  address: string
  /** Where it may be as well, the best first. */
  others?: readonly string[]
  port: number
  /** Whether the parent gives objects to it at this time, as far as the parent says so. */
  fetching?: boolean
}

/** What the tracker is to know of the sibling that it named. */
export interface NearWords {
  /** The sibling does not answer, or not with what was asked for. */
  failed(): void
  /**
   * The sibling has given nothing yet: the tracker may have named another one meanwhile, and knows
   * whether the sibling fetches.
   */
  asks(): void
}

export interface NearObjects {
  /** Replaces the sibling; null if the parent is to be asked. */
  set(near: NearNode | null, told?: NearWords): void
  /** The sibling to ask; undefined if the parent is to be asked. */
  sibling(): NearSibling | undefined
  /** As `sibling`. After a failure the tracker has a moment to name another one. */
  next(): Promise<NearSibling | undefined>
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
  /** From the first request on that the sibling answers with "on its way". */
  waiting(): { isInVain(): boolean }
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
  /** The address at which it answered last. */
  answeredAt?: string
  /** What the parent said last of it, and when. */
  said: Said | undefined
  end: AbortController
}

export function createNearObjects(parts: NearParts): NearObjects {
  let tenure: Tenure | null = null
  let bringing = new AbortController()
  /** Aborted once a sibling is named that may be asked, or nobody. */
  let naming = new AbortController()
  const failures = createFailures(parts.monotonicMs)
  const current = (): Tenure | undefined => {
    if (tenure === null || failures.rests(placeOf(tenure.near))) return undefined
    bringing.abort()
    // A sibling that has rested is asked again.
    if (tenure.end.signal.aborted) tenure = { ...tenure, end: new AbortController() }
    return tenure
  }
  const sibling = (): NearSibling | undefined => {
    const asked = current()
    if (asked === undefined) return undefined
    const { end } = asked
    const failed = () => {
      if (end.signal.aborted) return
      failures.add(placeOf(asked.near))
      end.abort()
      asked.told?.failed()
    }
    const elsewhere = () => {
      asked.told?.asks()
      return aWhile(parts, end.signal)
    }
    const waiting = () => waitFor(asked, parts.monotonicMs)
    const ask = askerOf(parts, asked, failures.met)
    return { ask, left: end.signal, failed, elsewhere, waiting }
  }
  return {
    set: (next, told) => {
      const { fetching } = next ?? {}
      const said = fetching === undefined ? undefined : { isFetching: fetching, atMs: parts.monotonicMs() }
      if (tenure !== null && next !== null && isSame(tenure.near, next)) {
        Object.assign(tenure, { told, said })
        return
      }
      const before = tenure
      tenure = next && { near: next, told, said, end: new AbortController() }
      before?.end.abort()
      if (current() === undefined && tenure !== null) return
      naming.abort()
      naming = new AbortController()
    },
    sibling,
    next: async () => {
      const isLearning = () => parts.monotonicMs() - failures.lastMs() < limits.nearLearnsMs
      if (tenure !== null && current() === undefined && !failures.isCutOff() && isLearning()) {
        await aWhile(parts, naming.signal)
      }
      return sibling()
    },
    brings: () => {
      if (current() !== undefined) return undefined
      if (bringing.signal.aborted) bringing = new AbortController()
      return bringing.signal
    },
  }
}

function waitFor(tenure: Tenure, monotonicMs: () => number): ReturnType<NearSibling['waiting']> {
  const sinceMs = monotonicMs()
  let signMs = sinceMs
  return {
    isInVain() {
      const { said, told } = tenure
      if (said?.isFetching === true) signMs = Math.max(signMs, said.atMs)
      const patience = patienceAt(monotonicMs(), { sinceMs, signMs, said })
      if (patience === 'ask') told?.asks()
      return patience === 'leave'
    },
  }
}

/**
 * Asks at the address that answered last, and at each of the others if nobody does there, or another
 * node.
 */
function askerOf(parts: NearParts, tenure: Tenure, met: () => void): NearSibling['ask'] {
  return async (call) => {
    const failures: Failure[] = []
    for (const address of placesIn(tenure)) {
      try {
        const reply = await askAt(parts, { ...tenure, address }, call)
        tenure.answeredAt = address
        met()
        return reply
      } catch (error) {
        if (!(error instanceof Failure) || !['unreachable', 'refused', 'untrusted'].includes(error.code)) throw error
        failures.push(error)
      }
    }
    throw failures.at(-1) ?? new Failure('unreachable', `no address of ${tenure.near.node}`, { retry: 'later' })
  }
}

function placesIn({ near: { address, others = [] }, answeredAt }: Tenure): string[] {
  const all = [address, ...others]
  return answeredAt === undefined ? all : [answeredAt, ...all.filter((each) => each !== answeredAt)]
}

async function askAt(
  parts: NearParts,
  { near: { node, port }, end, address }: Tenure & { address: string },
  call: Parameters<NearSibling['ask']>[0],
): Promise<HttpReply> {
  const url = `https://${addressInUrl(address)}:${port}`
  const pace = watchPace(parts)
  const onPart: typeof call.onPart = (part, status) => {
    pace.came(part.length)
    call.onPart?.(part, status)
  }
  const signal = AbortSignal.any([end.signal, pace.isTooSlow])
  const tls = parts.tls()
  const bounds = { timeoutMs: limits.requestTimeoutMs, connectMs: limits.nearConnectMs, tls, signal }
  const path = asSibling(call.path)
  const reply = await parts.http.request({ ...bounds, ...call, url, path, onPart }).finally(pace.stop)
  const identity = identityOf(reply.certificate)
  const isAnswer = reply.status < 500 || reply.status === 503
  if (identity.role === 'node' && identity.name === node && isAnswer) return reply
  throw new Failure('refused', `${url} does not answer as ${node}`, { retry: 'later' })
}

/** `isTooSlow` is aborted once an answer has begun and brings less than a sibling near by does. */
function watchPace({ after }: NearParts) {
  const tooSlow = new AbortController()
  let timer: Timer | undefined
  let bytes = 0
  const look = () => {
    if (bytes < limits.httpFreeAnswerBytes) tooSlow.abort()
    bytes = 0
    timer = after(limits.nearPaceMs, look)
  }
  return {
    isTooSlow: tooSlow.signal,
    came: (more: number) => {
      bytes += more
      timer ??= after(limits.nearPaceMs, look)
    },
    stop: () => timer?.cancel(),
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
  return placeOf(one) === placeOf(other) && one.port === other.port
}

function placeOf({ node, address, others = [] }: NearNode): string {
  return [node, address, ...others].join(' ')
}
