// `banyan join`: makes this machine a node of a tree. After a failure nothing is left behind,
// except the private key where a certificate for it may have been issued and the answer got lost.

import os from 'node:os'
import { Failure } from '../../model/failure.ts'
import { nodeNameSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { parseSettings, type Settings } from '../../model/settings.ts'
import { acceptReply, requestEnrolment } from '../../trust/enrolment.ts'
import { saveIdentity } from '../../trust/identity.ts'
import { parseToken, type Token } from '../../trust/token.ts'
import { bootstrapTrust } from '../../trust/trust-store.ts'
import { awake } from '../../world/awake.ts'
import { openWorld } from '../../world/real-world.ts'
import type { World } from '../../world/world.ts'
import { askParents, checkTokenFor } from './asking-parents.ts'
import { type Home, homeAt } from './home.ts'
import { forgetAsked, keyIn } from './join-keys.ts'
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
    return { ...(await awake(() => join(world, options))), notes }
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
  const name = parseName(given ?? token.replaces ?? machineName(), 'name')
  checkTokenFor(token, name)
  const settings = parseSettings({ name, parents: parents ?? token.parents, ...rest }, 'join')
  await checkNoNode(world, home)

  await world.disk.makeFolder(home.dir, { mode: 0o700 })
  const { privateKey, isNew } = await keyIn(world, home.keys, name)
  const request = JSON.stringify(await requestEnrolment(token, name, privateKey))
  const answered = await askParents(world, { parents: settings.parents, token, request })
  if (answered.kind === 'refused') {
    // A parent of an earlier run may have passed the request on; then the root knows this key.
    if (isNew && !answered.isRelayed) await world.disk.remove(home.keys)
    throw answered.failure
  }
  const { url } = answered
  // The node that let this one in is the parent there, and no other.
  const parentsNamed = settings.parents.map((each) => (each === answered.text ? answered.named : each))
  await saveNode(world, {
    ...{ home, token, settings: { ...settings, parents: parentsNamed } },
    reply: acceptReply(answered.body, { token, name, privateKey }),
  })
  return { name, parent: url, home: home.dir }
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
  await forgetAsked(world, home.keys)
  // The settings come last: a home with settings is a whole node.
  await saveSettings(disk, home.settings, settings)
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
    hint: 'banyan join --again has it join again and keeps what is installed; for another node, choose another --home',
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
