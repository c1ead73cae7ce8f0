// `banyan join`: makes this machine a node of a tree. After a failure nothing is left behind,
// except the private key where a certificate for it may have been issued and the answer got lost.

import type { KeyObject } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { type NodeName, nodeNameSchema } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import { type ParentPlace, parentPlaceOf, parentTextOf, parseSettings, type Settings } from '../../model/settings.ts'
import { acceptReply, refusalOf, requestEnrolment } from '../../trust/enrolment.ts'
import { identityOf, readPrivate, saveIdentity } from '../../trust/identity.ts'
import { privateKeyFrom, privateKeyFromPem, privateKeyPem, seedBytes } from '../../trust/keys.ts'
import { enrolmentTls, parseToken, type Token } from '../../trust/token.ts'
import { bootstrapTrust } from '../../trust/trust-store.ts'
import { openWorld } from '../../world/real-world.ts'
import type { HttpReply, World } from '../../world/world.ts'
import { type Home, homeAt } from './home.ts'
import { WrongParent } from './parent-names.ts'
import { claimHome } from './private-home.ts'
import { processLog } from './process-log.ts'
import { saveSettings } from './settings-file.ts'

export interface JoinOptions {
  token: string
  home: string
  /** As in the settings, in order of preference. The default is the list in the token. */
  parents?: string[]
  name?: string
  site?: string
  labels: Record<string, string>
  listen?: string
  controlPort?: number
  swarmPort?: number
  targetRoot?: string
}

const parseName = parserOf(nodeNameSchema)

export interface Joined {
  name: string
  /** The URL of the parent that answered. */
  parent: string
  home: string
}

/** `join` on this machine. `notes` tells a person what was changed about the home beside that. */
export async function joinTree(options: JoinOptions): Promise<Joined & { notes: string[] }> {
  const world = openWorld({ log: processLog('error') })
  try {
    await checkNoNode(world, homeAt(options.home))
    const notes = await claimHome(options.home)
    return { ...(await join(world, options)), notes }
  } finally {
    world.http.close()
  }
}

/**
 * Asks the parents one after the other for a certificate, and makes a node of this home with the
 * first answer. The same in any world. Throws `already-exists` if the home is a node already,
 * `untrusted` for an answer that is not the fleet's, `refused` if the root gives no certificate,
 * and `unreachable` if no parent answers.
 */
export async function join(world: World, options: JoinOptions): Promise<Joined> {
  const home = homeAt(options.home)
  const token = parseToken(options.token, world.clock.now())
  const { token: _, home: _home, parents, name: given, ...rest } = options
  const name = parseName(given ?? machineName(), 'name')
  const settings = parseSettings({ name, parents: parents ?? token.parents, ...rest }, 'join')
  await checkNoNode(world, home)

  const { privateKey, isNew } = await keyFor(world, home)
  const request = JSON.stringify(await requestEnrolment(token, name, privateKey))
  const silent: string[] = []
  for (const text of settings.parents) {
    const place = parentPlaceOf(text)
    const { url } = place
    const answer = await askParent(world, { place, token, request })
    if (answer.kind === 'silent') {
      silent.push(`${url}: ${answer.because}`)
      continue
    }
    if (answer.kind === 'refused') {
      // A silent parent, or one of an earlier run, may have passed the request on; then the root
      // knows this key.
      if (isNew && silent.length === 0) await world.disk.remove(home.keys)
      throw answer.failure
    }
    // The node that let this one in is the parent there, and no other.
    const named = parentTextOf({ url, name: answer.parent })
    const parentsNamed = settings.parents.map((each) => (each === text ? named : each))
    await saveNode(world, {
      ...{ home, token, settings: { ...settings, parents: parentsNamed } },
      reply: acceptReply(answer.body, { token, name, privateKey }),
    })
    return { name, parent: url, home: home.dir }
  }
  throw new Failure('unreachable', `no parent answered: ${silent.join('; ')}`, {
    retry: 'later',
    hint: 'check the address with --parent, and that the parent runs',
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

async function saveNode(
  world: World,
  {
    home,
    settings,
    token,
    reply,
  }: { home: Home; settings: Settings; token: Token; reply: ReturnType<typeof acceptReply> },
): Promise<void> {
  const { disk } = world
  const atLeast = { timestampVersion: token.timestampVersion, signedAt: token.issuedAt }
  await bootstrapTrust({ dir: home.tuf, rootBytes: reply.rootBytes, disk, atLeast })
  await makeFolders(world, home, settings)
  await saveIdentity(home.keys, reply.identity.tls, disk)
  // The settings come last: a home with settings is a whole node.
  await saveSettings(disk, home.settings, settings)
}

/**
 * The node's private key, saved before any parent is asked. An answer that gets lost has used up
 * the name, and the root gives that name again to the same key only.
 */
async function keyFor({ disk, random }: World, home: Home): Promise<{ privateKey: KeyObject; isNew: boolean }> {
  const file = path.join(home.keys, 'node.key.pem')
  if ((await disk.stat(file)) !== undefined) {
    return { privateKey: privateKeyFromPem(await readPrivate(file, disk), file), isNew: false }
  }
  const privateKey = privateKeyFrom(random.bytes(seedBytes))
  await disk.makeFolder(home.dir, { mode: 0o700 })
  await disk.makeFolder(home.keys, { mode: 0o700 })
  await disk.write(file, privateKeyPem(privateKey), { mode: 0o600 })
  return { privateKey, isNew: true }
}

/**
 * Makes the folders that a node needs at its first start, and the folder that packages are
 * installed below.
 */
export async function makeFolders(
  world: Pick<World, 'disk'>,
  home: Home,
  { targetRoot }: Pick<Settings, 'targetRoot'>,
): Promise<void> {
  await world.disk.makeFolder(home.dir, { mode: 0o700 })
  await world.disk.makeFolder(targetRoot)
  for (const folder of [home.objects, home.store, home.run, home.apply]) await world.disk.makeFolder(folder)
}

/** Throws `already-exists` if there are settings in this home. */
export async function checkNoNode(world: Pick<World, 'disk'>, home: Home): Promise<void> {
  if ((await world.disk.stat(home.settings)) === undefined) return
  throw new Failure('already-exists', `${home.dir} is a node already`, {
    hint: 'choose another --home, or remove that folder to start over',
  })
}

/**
 * The first label of the machine's name, in lower case and with dashes for whatever a node name may
 * not have.
 */
export function machineName(): string {
  const name =
    os
      .hostname()
      .split('.')[0]
      ?.toLowerCase()
      .replace(/[^a-z0-9-]/g, '-') ?? ''
  return name.replace(/^-+|-+$/g, '').slice(0, 63) || 'node'
}
