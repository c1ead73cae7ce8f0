// `banyan join`: makes this machine a node of a tree. If it fails, nothing is left behind but, where an answer may have got
// lost, the key that it was for.

import type { KeyObject } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { nodeNameSchema } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import { parseSettings, type Settings } from '../../model/settings.ts'
import { acceptReply, requestEnrolment } from '../../trust/enrolment.ts'
import { identityOf, readPrivate, saveIdentity } from '../../trust/identity.ts'
import { privateKeyFrom, privateKeyFromPem, privateKeyPem, seedBytes } from '../../trust/keys.ts'
import { enrolmentTls, parseToken } from '../../trust/token.ts'
import { bootstrapTrust } from '../../trust/trust-store.ts'
import { openWorld } from '../../world/real-world.ts'
import type { World } from '../../world/world.ts'
import { type Home, homeAt } from './home.ts'
import { processLog } from './process-log.ts'
import { saveSettings } from './settings-file.ts'

export interface JoinOptions {
  token: string
  home: string
  /** The token's own if none are given. */
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

export async function joinTree(options: JoinOptions): Promise<{ name: string; parent: string; home: string }> {
  const world = openWorld({ log: processLog('error') })
  try {
    return await join(world, options)
  } finally {
    world.http.close()
  }
}

/** The same in any world. */
export async function join(
  world: World,
  options: JoinOptions,
): Promise<{ name: string; parent: string; home: string }> {
  const home = homeAt(options.home)
  const token = parseToken(options.token, world.clock.now())
  const { token: _, home: _home, parents, name: given, ...rest } = options
  const name = parseName(given ?? machineName(), 'name')
  const settings = parseSettings({ name, parents: parents ?? token.parents, ...rest }, 'join')
  await checkNoNode(world, home)

  const keyFile = path.join(home.keys, 'node.key.pem')
  const hadKey = (await world.disk.stat(keyFile)) !== undefined
  const privateKey = await keyFor(world, home, keyFile)
  const request = JSON.stringify(await requestEnrolment(token, name, privateKey))
  const failures: string[] = []
  /** Unless somebody may have been told of it: who was not heard of, or an earlier try. */
  const forgetKey = async () => {
    if (!hadKey && failures.length === 0) await world.disk.remove(home.keys)
  }
  for (const url of settings.parents) {
    const reply = await world.http
      .request({
        url,
        method: 'POST',
        path: '/v1/enrol',
        body: request,
        tls: enrolmentTls(token),
        timeoutMs: limits.requestTimeoutMs,
        responseMaxBytes: limits.tufFileMaxBytes,
      })
      .catch(async (error) => {
        if (!(error instanceof Failure)) throw error
        if (error.code === 'untrusted') {
          await forgetKey()
          throw error
        }
        failures.push(`${url}: ${error.message}`)
      })
    if (reply === undefined) continue
    if (identityOf(reply.certificate).role !== 'node')
      throw new Failure('untrusted', `${url} does not answer as a node`)
    const body = parseJson(reply.body, `answer of ${url}`, limits.messageMarksMax)
    if (reply.status !== 200) {
      await forgetKey()
      throw refusalOf(body, reply.status, url)
    }
    const { identity, rootBytes } = acceptReply(body, { token, name, privateKey })
    await bootstrapTrust({
      dir: home.tuf,
      rootBytes,
      disk: world.disk,
      atLeast: { timestampVersion: token.timestampVersion, signedAt: token.issuedAt },
    })
    await makeFolders(world, home, settings)
    await saveIdentity(home.keys, identity.tls, world.disk)
    // The settings come last: a home with settings is a whole node.
    await saveSettings(world.disk, home.settings, settings)
    return { name, parent: url, home: home.dir }
  }
  throw new Failure('unreachable', `no parent answered: ${failures.join('; ')}`, {
    retry: 'later',
    hint: 'check the address with --parent, and that the parent runs',
  })
}

/**
 * The key is kept before anybody is asked: an answer that gets lost on its way has spent the name, and the root gives it
 * to the same key again.
 */
async function keyFor(world: World, home: Home, file: string): Promise<KeyObject> {
  if ((await world.disk.stat(file)) !== undefined) {
    return privateKeyFromPem(await readPrivate(file, world.disk), file)
  }
  const key = privateKeyFrom(world.random.bytes(seedBytes))
  await world.disk.makeFolder(home.dir, { mode: 0o700 })
  await world.disk.makeFolder(home.keys, { mode: 0o700 })
  await world.disk.write(file, privateKeyPem(key), { mode: 0o600 })
  return key
}

/** The folders that a node needs from its first start, the one that it installs below among them. */
export async function makeFolders(
  world: Pick<World, 'disk'>,
  home: Home,
  { targetRoot }: Pick<Settings, 'targetRoot'>,
): Promise<void> {
  await world.disk.makeFolder(home.dir, { mode: 0o700 })
  await world.disk.makeFolder(targetRoot)
  for (const folder of [home.objects, home.store, home.run, home.apply]) await world.disk.makeFolder(folder)
}

export async function checkNoNode(world: Pick<World, 'disk'>, home: Home): Promise<void> {
  if ((await world.disk.stat(home.settings)) === undefined) return
  throw new Failure('already-exists', `${home.dir} is a node already`, {
    hint: 'choose another --home, or remove that folder to start over',
  })
}

/** The machine's own name as a node name: its first label, in lower case. */
export function machineName(): string {
  const name =
    os
      .hostname()
      .split('.')[0]
      ?.toLowerCase()
      .replace(/[^a-z0-9-]/g, '-') ?? ''
  return name.replace(/^-+|-+$/g, '').slice(0, 63) || 'node'
}

function refusalOf(body: unknown, status: number, url: string): Failure {
  const failure = typeof body === 'object' && body !== null && 'failure' in body ? body.failure : undefined
  const { message, hint } = (failure ?? {}) as { message?: unknown; hint?: unknown }
  return new Failure('refused', typeof message === 'string' ? message : `${url} answered ${status}`, {
    ...(typeof hint === 'string' && { hint }),
    cause: messageOf(body),
  })
}
