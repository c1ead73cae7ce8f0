// The shape of the local API's handlers: what a handler gets, and that there is one for each call.

import { Failure } from '../model/failure.ts'
import type { AnswerCall, AnswerOf, LineCall, LineOf } from '../model/local-api/calls.ts'
import type { BodyOf, CallWithBody } from '../model/local-api/requests.ts'
import type { EngineRights } from '../model/local-api/status.ts'
import type { Sha256 } from '../model/names.ts'
import type { Repository } from '../repository/repository.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { Clock } from '../world/world.ts'
import type { RunningNode } from './daemon.ts'
import type { PlainEndpoint } from './plain.ts'

export interface LocalApiParts {
  clock: Clock
  node: RunningNode
  /** Unknown without this function. */
  engineRights?: (() => EngineRights) | undefined
  /** Null where ordinary clients are not let in. */
  plain: PlainEndpoint | null
  /** The key that this node has, and how it takes the identity that lies in its home. */
  identity: { keyId(): Sha256; take(keyId: Sha256): Promise<void> }
  /** Null unless this node is the root. `urls` are those that children may reach it at. */
  root: { fleet: Fleet; repository: Repository; urls: () => string[] } | null
}

/** One request, as a handler reads it. */
export interface Asked {
  /** What stands in the place of `:name`; empty for calls without one. */
  name: string
  query: Readonly<Record<string, string>>
  /** Throws a `bad-input` Failure. */
  body<Call extends CallWithBody>(call: Call): BodyOf<Call>
  /** Aborts when the caller has gone, and when the daemon stops. */
  signal: AbortSignal
}

export type AnswerHandlers = { [Call in AnswerCall]: (asked: Asked) => AnswerOf<Call> | Promise<AnswerOf<Call>> }
export type LineHandlers = { [Call in LineCall]: (asked: Asked) => AsyncIterable<LineOf<Call>> }

/** What only a root has. Throws an `unsupported` Failure on any other node. */
export function rootOf({ root, node }: LocalApiParts) {
  const { releasing, rollouts } = node
  if (root !== null && releasing !== null && rollouts !== null) return { ...root, releasing, rollouts }
  throw new Failure('unsupported', 'only a root does that', { hint: 'run it on the root, with its --home' })
}
