// `banyan join --again`: gives a node another key and certificate, and another name if wanted. Its home,
// and what it has installed, stay.

import path from 'node:path'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { nodeNameSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { parentPlaceOf, type Settings } from '../../model/settings.ts'
import { acceptReply, requestEnrolment } from '../../trust/enrolment.ts'
import { certificateOf, loadIdentity, type NodeIdentity } from '../../trust/identity.ts'
import { parseToken, type Token } from '../../trust/token.ts'
import { bootstrapTrust } from '../../trust/trust-store.ts'
import { awake } from '../../world/awake.ts'
import { requestLocal } from '../../world/local.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import { openWorld } from '../../world/real-world.ts'
import type { World } from '../../world/world.ts'
import { askParents, checkTokenFor } from './asking-parents.ts'
import { type Home, homeAt } from './home.ts'
import type { Joined } from './join.ts'
import { keyIn } from './join-keys.ts'
import { nextIn, saveNext, settleNext } from './next-identity.ts'
import { processLog } from './process-log.ts'
import { loadSettings, settingsText } from './settings-file.ts'

export interface JoinAgainOptions {
  token: string
  home: string
  name?: string
  /** Asked instead of those in the settings and in the token, and written into the settings. */
  parents?: string[]
}

const parseName = parserOf(nodeNameSchema)

/** `isTaken`: the daemon has taken the new identity; false if none runs. */
export async function joinTreeAgain(options: JoinAgainOptions): Promise<Joined & { isTaken: boolean }> {
  const world = openWorld({ log: processLog('error') })
  const home = homeAt(options.home)
  try {
    return await awake(async () => {
      const joined = await joinAgain(world, options)
      return { ...joined, isTaken: await handOver(world, home) }
    })
  } finally {
    world.http.close()
  }
}

/**
 * The next identity lies in the home when this resolves; see next-identity.ts. Throws `not-found` if
 * the home is no node, `unsupported` for a root, `conflict` for a home of another fleet, and like
 * `join`.
 */
export async function joinAgain(world: World, options: JoinAgainOptions): Promise<Joined> {
  const home = homeAt(options.home)
  await settleNext(home, world.disk)
  const settings = await loadSettings(world.disk, home.settings)
  if (settings.parents.length === 0) {
    throw new Failure('unsupported', `${settings.name} is a root: there is nobody that it could join`, {
      hint: 'a root renews its own certificate; banyan doctor --fix confirms its clock',
    })
  }
  const token = parseToken(options.token, world.clock.now())
  await checkFleet(world, home, token)
  const name = parseName(options.name ?? token.replaces ?? settings.name, 'name')
  checkTokenFor(token, name)
  // The former key shows who asks: the name goes from one key of this node to the next.
  const former = name === settings.name ? await formerOf(world, home) : undefined
  const { privateKey, isNew } = await keyIn(world, nextIn(home), name)
  const request = JSON.stringify(await requestEnrolment(token, name, privateKey, former))
  const parents = options.parents ?? parentsOf(settings, token)
  const answered = await askParents(world, { parents, token, request })
  if (answered.kind === 'refused') {
    // A parent of an earlier run may have passed the request on; then the root knows this key.
    if (isNew && !answered.isRelayed) await world.disk.remove(nextIn(home))
    throw answered.failure
  }
  const { identity, rootBytes } = acceptReply(answered.body, { token, name, privateKey })
  if ((await world.disk.stat(home.tuf)) === undefined) {
    const atLeast = { timestampVersion: token.timestampVersion, signedAt: token.issuedAt }
    await bootstrapTrust({ dir: home.tuf, rootBytes, disk: world.disk, atLeast })
  }
  const next = settingsText({ ...settings, name, parents: parentsAfter(settings, options, answered) })
  const isSame = name === settings.name && options.parents === undefined && parentsKnow(settings, answered.url)
  const kept = isSame ? await readIfThere(world.disk, home.settings) : undefined
  await saveNext(home, identity.tls, kept === undefined ? next : Buffer.from(kept).toString('utf8'), world.disk)
  return { name, parent: answered.url, home: home.dir }
}

/** Throws `conflict` if the home belongs to another fleet than the token. */
async function checkFleet({ disk }: World, home: Home, token: Token): Promise<void> {
  const pem = await readIfThere(disk, path.join(home.keys, 'ca.crt.pem'))
  if (pem === undefined) return
  if (Buffer.compare(certificateOf(pem, 'fleet certificate').raw, token.ca) === 0) return
  throw new Failure('conflict', `${home.dir} belongs to another fleet than the token, which is of ${token.fleet}`, {
    hint: 'use a token of the fleet of this home: banyan token create on its root; or join with another --home',
  })
}

/** Undefined if key or certificate are damaged: then only a token that replaces the node helps. */
async function formerOf({ disk }: World, home: Home): Promise<NodeIdentity | undefined> {
  try {
    return await loadIdentity(home.keys, disk)
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** Those that the node knows, and then those of the token. */
function parentsOf(settings: Settings, token: Token): string[] {
  return [...settings.parents, ...token.parents.filter((text) => !parentsKnow(settings, parentPlaceOf(text).url))]
}

function parentsAfter(
  settings: Settings,
  { parents }: JoinAgainOptions,
  { url, text, named }: { url: string; text: string; named: string },
): string[] {
  if (parents !== undefined) return parents.map((each) => (each === text ? named : each))
  return parentsKnow(settings, url) ? settings.parents : [...settings.parents, named]
}

function parentsKnow({ parents }: Settings, url: string): boolean {
  return parents.some((text) => parentPlaceOf(text).url === url)
}

/** Has the daemon of this home take the next identity; without a daemon the identity is moved in here. */
async function handOver(world: World, home: Home): Promise<boolean> {
  const next = await loadIdentity(nextIn(home), world.disk)
  const ask = (url: string, body?: unknown) =>
    requestLocal({
      ...{ path: home.socket, method: body === undefined ? ('GET' as const) : ('POST' as const), url },
      ...{ timeoutMs: limits.requestTimeoutMs, ...(body !== undefined && { body }) },
    })
  try {
    await ask('/identity', { keyId: next.keyId })
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'not-running') throw error
    await settleNext(home, world.disk)
    return false
  }
  const until = world.clock.monotonicMs() + limits.identityTakenMs
  while (world.clock.monotonicMs() < until) {
    try {
      const { json } = await ask('/identity')
      if ((json as { keyId?: unknown }).keyId === next.keyId) return true
    } catch (error) {
      // The daemon is between its two lives.
      if (!(error instanceof Failure)) throw error
    }
    await new Promise<void>((resolve) => world.clock.after(limits.identityAskMs, resolve))
  }
  throw new Failure('timed-out', 'the daemon has not come back with its new certificate', {
    hint: `see its log; systemctl restart banyan, or banyan node --home ${home.dir}, starts it with that certificate`,
  })
}
