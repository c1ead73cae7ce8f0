// Serves the local API: what the commands of `banyan` ask of the daemon on their own machine, over
// a unix socket that only its owner can open. model/local-api/calls.ts has the calls and their
// answers.

import { Failure } from '../model/failure.ts'
import type { AnswerCall, AnswerOf, LineCall, LineOf } from '../model/local-api/calls.ts'
import { type BodyOf, bodyParsers, type CallWithBody } from '../model/local-api/requests.ts'
import { parseJson } from '../model/parse.ts'
import { openMetricsType } from '../report/open-metrics.ts'
import type { Repository } from '../repository/repository.ts'
import type { Fleet } from '../trust/fleet.ts'
import type { LocalRequest, LocalResponse } from '../world/local.ts'
import type { Clock } from '../world/world.ts'
import type { RunningNode } from './daemon.ts'
import { answerHandlers } from './local-answers.ts'
import { lineHandlers } from './local-lines.ts'
import type { PlainEndpoint } from './plain.ts'

export interface LocalApiParts {
  clock: Clock
  node: RunningNode
  /** Null where ordinary clients are not let in. */
  plain: PlainEndpoint | null
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

export function createLocalApi(parts: LocalApiParts): (request: LocalRequest) => Promise<LocalResponse> {
  const answers = new Map<string, (asked: Asked) => unknown>(Object.entries(answerHandlers(parts)))
  const lines = new Map<string, (asked: Asked) => AsyncIterable<unknown>>(Object.entries(lineHandlers(parts)))
  return async (request) => {
    const exact = `${request.method} ${request.path}`
    if (exact === 'GET /metrics') {
      return { status: 200, text: await parts.node.metrics(), contentType: openMetricsType }
    }
    const [, room, segment] = /^(.*)\/([^/]+)$/.exec(exact) ?? []
    const isExact = answers.has(exact) || lines.has(exact)
    const call = isExact ? exact : `${room}/:name`
    const asked: Asked = {
      name: isExact ? '' : decodeURIComponent(segment ?? ''),
      query: request.query,
      body: (of) => bodyParsers[of](parseJson(request.body, request.path)) as BodyOf<typeof of>,
      signal: request.signal,
    }
    const answer = answers.get(call)
    if (answer !== undefined) return { status: 200, json: await answer(asked) }
    const stream = lines.get(call)
    if (stream !== undefined) return { status: 200, lines: stream(asked) }
    throw new Failure('not-found', `no such call: ${exact}`)
  }
}

/** What only a root has. Throws an `unsupported` Failure on any other node. */
export function rootOf({ root, node }: LocalApiParts) {
  const { releasing, rollouts } = node
  if (root !== null && releasing !== null && rollouts !== null) return { ...root, releasing, rollouts }
  throw new Failure('unsupported', 'only a root does that', { hint: 'run it on the root, with its --home' })
}
