// Serves the local API: what the commands of `banyan` ask of the daemon on their own machine, over
// a unix socket that only its owner can open. model/local-api/calls.ts has the calls and their
// answers.

import { Failure } from '../model/failure.ts'
import { type BodyOf, bodyParsers } from '../model/local-api/requests.ts'
import { parseJson } from '../model/parse.ts'
import { openMetricsType } from '../report/open-metrics.ts'
import type { LocalRequest, LocalResponse } from '../world/local.ts'
import { answerHandlers } from './local-answers.ts'
import type { Asked, LocalApiParts } from './local-handlers.ts'
import { lineHandlers } from './local-lines.ts'

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
      name: isExact ? '' : decoded(segment ?? '', request.path),
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

/** Throws a Failure with code `bad-input` for a text that is not percent-encoded UTF-8. */
function decoded(segment: string, path: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    throw new Failure('bad-input', `${path}: the name is not percent-encoded UTF-8`, { cause: error })
  }
}
