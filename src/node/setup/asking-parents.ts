// Asks parents for a certificate, for a machine that joins or joins again.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { parseJson } from '../../model/parse.ts'
import { type ParentPlace, parentPlaceOf, parentTextOf } from '../../model/settings.ts'
import { refusalOf } from '../../trust/enrolment.ts'
import { identityOf } from '../../trust/identity.ts'
import { enrolmentTls, type Token } from '../../trust/token.ts'
import type { HttpReply, World } from '../../world/world.ts'
import { WrongParent } from './parent-names.ts'

export type Answered =
  /** `text` is the parent as it was given, `named` the same with the name of the node there. */
  | { kind: 'granted'; body: unknown; url: string; text: string; named: string }
  /** `isRelayed`: a parent that did not answer may have passed the request on. */
  | { kind: 'refused'; failure: Failure; isRelayed: boolean }

/** Throws `conflict` if the token is for another name. */
export function checkTokenFor({ replaces }: Token, name: NodeName): void {
  if (replaces === undefined || replaces === name) return
  throw new Failure('conflict', `this token is for the name ${replaces}, and not for ${name}`, {
    hint: `give --name ${replaces}, or ask for a token without --replaces: banyan token create on the root`,
  })
}

/** Asks one after the other. Throws `unreachable` if none answers. */
export async function askParents(
  world: Pick<World, 'http' | 'clock'>,
  { parents, token, request }: { parents: readonly string[]; token: Token; request: string },
): Promise<Answered> {
  const silent: string[] = []
  for (const text of parents) {
    const place = parentPlaceOf(text)
    const { url } = place
    const answer = await askParent(world, { place, token, request })
    if (answer.kind === 'silent') silent.push(`${url}: ${answer.because}`)
    else if (answer.kind === 'refused') return { ...answer, isRelayed: silent.length > 0 }
    else return { kind: 'granted', body: answer.body, url, text, named: parentTextOf({ url, name: answer.parent }) }
  }
  throw new Failure('unreachable', `no parent answered: ${silent.join('; ')}`, {
    retry: 'later',
    hint: 'see that the parent runs (banyan status there); --parent gives another address',
  })
}

type Answer =
  | { kind: 'silent'; because: string }
  | { kind: 'refused'; failure: Failure }
  | { kind: 'granted'; body: unknown; parent: NodeName }

async function askParent(
  { http, clock }: Pick<World, 'http' | 'clock'>,
  { place, token, request }: { place: ParentPlace; token: Token; request: string },
  triesLeft: number = limits.joinTriesMax,
): Promise<Answer> {
  const { url } = place
  let reply: HttpReply
  try {
    reply = await http.request({
      ...{ url, method: 'POST', path: '/v1/enrol', body: request, tls: enrolmentTls(token) },
      timeoutMs: limits.requestTimeoutMs,
      responseMaxBytes: limits.tufFileMaxBytes,
    })
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    if (error.code === 'untrusted') return { kind: 'refused', failure: error }
    return { kind: 'silent', because: error.message }
  }
  if (reply.status === 503) {
    // Many machines join at once.
    if (triesLeft <= 1) return { kind: 'silent', because: 'it is busy' }
    await new Promise<void>((resolve) => clock.after(reply.retryAfterMs ?? 1000, resolve))
    return await askParent({ http, clock }, { place, token, request }, triesLeft - 1)
  }
  const identity = identityOf(reply.certificate)
  if (identity.role !== 'node') throw new Failure('untrusted', `${url} does not answer as a node`)
  const { name } = identity
  if (place.name !== undefined && place.name !== name) {
    const { message } = new WrongParent({ url, expected: place.name, answered: name })
    return { kind: 'silent', because: message }
  }
  const body = parseJson(reply.body, `answer of ${url}`, limits.messageMarksMax)
  if (reply.status === 200) return { kind: 'granted', body, parent: name }
  return { kind: 'refused', failure: refusalOf(body, reply.status, url) }
}
