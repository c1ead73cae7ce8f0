// Machines that join a fleet, and come back: what they send, and what they are given.

import type { KeyObject } from 'node:crypto'
import { acceptReply, requestEnrolment, requestRenewal } from '../../src/trust/enrolment.ts'
import type { Fleet } from '../../src/trust/fleet.ts'
import type { NodeIdentity } from '../../src/trust/identity.ts'
import { privateKeyFrom } from '../../src/trust/keys.ts'
import { parseToken, type Token } from '../../src/trust/token.ts'
import { seededRandom } from '../world/seeded-random.ts'
import type { Acme } from './acme.ts'

const parents = ['https://10.1.0.1:7420']

export async function tokenOf(
  { fleet, clock }: Pick<Acme, 'fleet' | 'clock'>,
  replaces?: string,
  uses = 1,
): Promise<Token> {
  const wish = { ttlMs: 3600_000, uses, parents, ...(replaces !== undefined && { replaces }) }
  return parseToken(await fleet.createToken(wish), clock.now())
}

export const newKey = (seed: string): KeyObject => privateKeyFrom(seededRandom(seed).bytes(32))

export interface Joining {
  token: Token
  name: string
  key?: string
  former?: NodeIdentity
}

export async function join(
  fleet: Pick<Fleet, 'enrol'>,
  { token, name, key = name, former }: Joining,
): Promise<NodeIdentity> {
  const privateKey = newKey(key)
  const reply = await fleet.enrol(JSON.parse(JSON.stringify(await requestEnrolment(token, name, privateKey, former))))
  return acceptReply(reply, { token, name, privateKey }).identity
}

export const renewal = (identity: NodeIdentity, at: number) => JSON.parse(JSON.stringify(requestRenewal(identity, at)))
