// `banyan doctor`: examines a node from outside its daemon, so that it works where the daemon does
// not start.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { EngineRights } from '../../model/local-api/status.ts'
import { parseJson } from '../../model/parse.ts'
import { parentPlaceOf, type Settings } from '../../model/settings.ts'
import { parseReachAnswer } from '../../model/wire/reach.ts'
import type { Reach } from '../../swarm/siblings.ts'
import { identityOf, loadIdentity, type NodeIdentity } from '../../trust/identity.ts'
import { verifyOffline } from '../../trust/trust-store.ts'
import { requestLocal } from '../../world/local.ts'
import { openWorld } from '../../world/real-world.ts'
import { damageOfDatabase } from '../../world/store/examining.ts'
import { connectOnce } from '../../world/tcp-connect.ts'
import type { World } from '../../world/world.ts'
import { writeProblem } from '../disk/writable.ts'
import { reserveBytesOf } from './disk-reserve.ts'
import type { Finding } from './finding.ts'
import { type Examined, findingsOf } from './findings.ts'
import { type Home, homeAt } from './home.ts'
import { loadParentNames, type ParentNames, parentNameAt, WrongParent } from './parent-names.ts'
import { processLog } from './process-log.ts'
import type { ParentReach } from './reach-findings.ts'
import { loadSettings } from './settings-file.ts'

/**
 * Changes nothing: the file that it writes into the home folder, to see whether that can be done, is
 * gone afterwards. A Failure of an examination becomes a finding.
 */
export async function diagnose(homeDir: string): Promise<Finding[]> {
  const world = openWorld({ log: processLog('error') })
  try {
    return findingsOf(await examine(world, homeAt(homeDir)))
  } finally {
    world.http.close()
  }
}

async function examine(world: World, home: Home): Promise<Examined> {
  const { clock, disk } = world
  const settings = await orFailed(() => loadSettings(disk, home.settings))
  const nothing = {
    database: null,
    identity: null,
    trusted: null,
    portsTaken: [],
    parents: [],
    freeBytes: null,
    hasTargetRoot: true,
  }
  const unwritable = await writeProblem(disk, home.dir)
  const about = { now: clock.now(), home: home.dir, unwritable }
  const daemon = await orFailed(() => askDaemon(home))
  if ('failed' in settings) return { ...about, ...nothing, settings, daemon, tools: [] }
  const identity = await orFailed(() => loadIdentity(home.keys, disk))
  const { name, targetRoot } = settings
  const names = await orFailed(() => loadParentNames(disk, home.parents))
  const reserveBytes = reserveBytesOf(settings)
  const runs = !('failed' in daemon)
  const free = await orFailed(async () => ({ bytes: await disk.freeBytes(home.dir) }))
  return {
    ...about,
    settings: { name, parents: settings.parents, targetRoot, reserveBytes },
    identity,
    trusted: await orFailed(() => verifyOffline(home.tuf, disk)),
    daemon,
    portsTaken: 'failed' in daemon && !('failed' in identity) ? await portsTaken(world, settings, identity) : [],
    database: 'failed' in daemon ? await databaseExamined(world, home) : null,
    parents: 'failed' in identity ? [] : await parentsAsked(world, { settings, identity, names, runs }),
    freeBytes: 'failed' in free ? null : free.bytes,
    hasTargetRoot: (await disk.stat(targetRoot))?.kind === 'folder',
    tools: await toolsHere(world),
  }
}

/** Only while no daemon has it open. A node that was never started has none. */
async function databaseExamined({ disk }: World, home: Home): Promise<Examined['database']> {
  if ((await disk.stat(home.state)) === undefined) {
    const isLost = (await disk.stat(home.kept)) !== undefined
    return { damaged: isLost ? 'it is missing' : null }
  }
  return await orFailed(async () => ({ damaged: await damageOfDatabase(home.state) }))
}

async function askDaemon(home: Home): Promise<Exclude<Examined['daemon'], { failed: string }>> {
  const request = { path: home.socket, method: 'GET' as const, url: '/status', timeoutMs: limits.requestTimeoutMs }
  const { json } = await requestLocal(request)
  // The daemon may be of another version than this program, so every field may be missing.
  const status = json as {
    link?: { kind?: string; because?: string }
    problems?: string[]
    self?: { condition?: string } | null
    siblings?: Reach
    engine?: EngineRights
    scrub?: { oldest?: number | null; mending?: number; damagedPieces?: number }
  }
  return {
    link: status.link?.kind ?? 'unknown',
    because: status.link?.because ?? null,
    problems: status.problems ?? [],
    condition: status.self?.condition ?? 'starting',
    ...(status.siblings && { siblings: { ...status.siblings } }),
    ...(status.engine && { engine: status.engine }),
    ...(status.scrub && { scrub: { oldest: null, mending: 0, damagedPieces: 0, ...status.scrub } }),
  }
}

/**
 * The ports of the settings that cannot be listened at. Finds out by listening at each for a
 * moment.
 */
async function portsTaken({ http }: World, settings: Settings, { tls }: NodeIdentity): Promise<number[]> {
  const taken: number[] = []
  for (const port of [settings.controlPort, settings.swarmPort]) {
    try {
      const handler = async () => ({ status: 503 })
      const server = await http.serve({ address: settings.listen, port, tls, bodyMaxBytes: () => 0, handler })
      await server.close()
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (error.code === 'conflict') taken.push(port)
    }
  }
  return taken
}

async function parentsAsked(
  { http }: World,
  asking: { settings: Settings; identity: NodeIdentity; names: ParentNames | { failed: string }; runs: boolean },
): Promise<Examined['parents'][number][]> {
  const { settings, identity, names } = asking
  return await Promise.all(
    settings.parents.map(async (text) => {
      const place = parentPlaceOf(text)
      const { url } = place
      const call = { url, method: 'GET' as const, path: '/v1/tuf/timestamp.json', tls: identity.tls }
      const bounds = { timeoutMs: limits.connectTimeoutMs, responseMaxBytes: limits.tufFileMaxBytes }
      const answer = await orFailed(async () => {
        const reply = await http.request({ ...call, ...bounds })
        const expected = parentNameAt(place, 'failed' in names ? new Map() : names)
        const other = identityOf(reply.certificate)
        const answered = other.role === 'node' ? other.name : undefined
        if (expected !== undefined && answered !== undefined && answered !== expected) {
          throw new WrongParent({ url, expected, answered })
        }
        return reply
      })
      if ('failed' in answer) return { url, ...answer }
      if (answer.status !== 200) return { url, failed: `it answers with ${answer.status}` }
      const reach = asking.runs ? await reachAsked(http, { url, settings, tls: identity.tls }) : undefined
      return { url, failed: null, ...(reach !== undefined && { reach }) }
    }),
  )
}

/**
 * Both ports, both ways: has the parent dial this node back, and dials the parent's swarm port. The
 * control port was just used. Undefined if the parent cannot say, as an older version.
 */
async function reachAsked(
  http: World['http'],
  { url, settings, tls }: { url: string; settings: Settings; tls: NodeIdentity['tls'] },
): Promise<ParentReach | undefined> {
  const path = `/v1/reach?control=${settings.controlPort}&swarm=${settings.swarmPort}`
  const bounds = { timeoutMs: limits.requestTimeoutMs, responseMaxBytes: limits.tufFileMaxBytes }
  const reply = await orFailed(() => http.request({ url, method: 'GET', path, tls, ...bounds }))
  if ('failed' in reply || reply.status !== 200) return undefined
  const answer = await orFailed(async () => parseReachAnswer(parseJson(reply.body, 'reach'), 'reach'))
  if ('failed' in answer) return undefined
  const address = new URL(url).hostname.replace(/^\[|\]$/g, '')
  const parentSwarm = answer.swarmPort === 0 ? null : await connectOnce(address, answer.swarmPort)
  return { ...answer, parentSwarm, ports: { control: settings.controlPort, swarm: settings.swarmPort } }
}

async function toolsHere({ exec }: World): Promise<string[]> {
  const programs = ['dpkg', 'apt-get', 'rpm', 'dnf', 'zypper', 'systemctl']
  const found = await Promise.all(programs.map((program) => exec.which(program)))
  return programs.filter((_, index) => found[index] !== undefined)
}

async function orFailed<T extends object>(look: () => Promise<T>): Promise<T | { failed: string; hint?: string }> {
  try {
    return await look()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { failed: error.message, ...(error.hint !== undefined && { hint: error.hint }) }
  }
}
