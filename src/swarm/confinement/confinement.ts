// What the engine's process may do on its machine. The engine talks to everybody who can reach the
// swarm port, so it gets a user of its own and nothing but the payloads
// (docs/decisions/0027-a-confined-engine.md).

import { messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Disk, Log } from '../../world/world.ts'
import { type User, userIn } from './accounts.ts'

export type Confinement =
  /** Another user, who has no rights beside those of the payloads. */
  | { kind: 'other-user'; user: User; way: Way }
  /** The daemon is nobody special itself. */
  | { kind: 'own-user'; way: Way }
  /** The daemon is root and cannot start a program as anybody else. */
  | { kind: 'none'; because: string }

/** How a program is started: by `setpriv` with these flags, or by the system's call alone. */
export type Way =
  | { kind: 'setpriv'; flags: readonly string[] }
  /** `because`: why not by `setpriv`. */
  | { kind: 'call'; because: string }

export type Tried =
  /** `said`: the last line of its errors. */
  | { kind: 'ended'; code: number; said: string }
  | { kind: 'not-started'; because: string }
  /** The machine is too busy to say. */
  | { kind: 'unknown' }

/** Starts a program as `user`, with the folder of the payloads as the engine gets it. */
export type TryAs = (start: {
  program: string
  args: readonly string[]
  user?: User
  folder: string
  timeoutMs: number
}) => Promise<Tried>

export interface ConfinementParts {
  /** The user that the daemon runs as. */
  uid: number
  /** Files that the engine has to read. */
  needed: readonly string[]
  /** The folder of the payloads. */
  store: string
  /** Where the engine finds the folder. */
  storeInside: string
  disk: Pick<Disk, 'read' | 'makeFolder'>
  /** Lets a user write into the folder of the payloads. Throws where the file system does not. */
  share: (folder: string, user: User) => void
  tryAs: TryAs
  log: Pick<Log, 'debug' | 'warn'>
}

/**
 * Finds the strictest way that works here: containers may have no setpriv, no right to drop
 * capabilities, or no second user; file systems may know no owners.
 */
export async function findConfinement(parts: ConfinementParts): Promise<Confinement> {
  await parts.disk.makeFolder(parts.store)
  const found = await firstThatWorks(parts)
  if (found.kind === 'none') parts.log.warn('engine runs as root', { because: found.because })
  else if (found.kind === 'other-user') parts.log.debug('engine has its own user', { uid: found.user.uid })
  return found
}

async function firstThatWorks(parts: ConfinementParts): Promise<Confinement> {
  if (parts.uid !== 0) {
    const way: Way = { kind: 'setpriv', flags: ['--no-new-privs'] }
    const because = await objectionTo(parts, way)
    return { kind: 'own-user', way: because === null ? way : { kind: 'call', because } }
  }
  const user = await userFor(parts.disk)
  try {
    parts.share(parts.store, user)
  } catch (error) {
    return { kind: 'none', because: `${parts.store} cannot be shared with user ${user.uid}: ${messageOf(error)}` }
  }
  let because = ''
  for (const way of setprivWaysTo(user)) {
    const objection = await objectionTo(parts, way, user)
    if (objection === null) return { kind: 'other-user', user, way }
    because = objection
  }
  const way: Way = { kind: 'call', because }
  const objection = await objectionTo(parts, way, user)
  return objection === null ? { kind: 'other-user', user, way } : { kind: 'none', because: objection }
}

/** The strictest first. Pure. */
export function setprivWaysTo({ uid, gid }: User): Way[] {
  const asUser = ['--no-new-privs', '--inh-caps=-all', '--clear-groups', `--reuid=${uid}`, `--regid=${gid}`]
  return [
    { kind: 'setpriv', flags: ['--bounding-set=-all', ...asUser] },
    // Without the right to drop it, as in many containers, the bounding set stays. Nothing is in force.
    { kind: 'setpriv', flags: asUser },
  ]
}

/**
 * Null if a program runs this way, can read what the engine needs and can write into the folder of
 * the payloads; otherwise what it cannot. Null as well where the machine did not say: a busy moment
 * is no reason for more rights.
 */
async function objectionTo(parts: ConfinementParts, way: Way, user?: User): Promise<string | null> {
  const { needed, store, storeInside } = parts
  const tests: { args: readonly string[]; objection: string }[] = [
    ...needed.map((file) => ({ args: ['-r', file], objection: `cannot read ${file}` })),
    ...['-w', '-x'].map((test) => ({ args: [test, storeInside], objection: `cannot write into ${store}` })),
  ]
  const bounds = { folder: store, timeoutMs: limits.confinementTryMs }
  const tried = (args: readonly string[]) => {
    const asUser = way.kind === 'call' && user !== undefined && { user }
    return parts.tryAs({ ...startedBy(way, 'test', args), ...bounds, ...asUser })
  }
  const all = await tried(tests.flatMap(({ args }, at) => (at === 0 ? args : ['-a', ...args])))
  if (all.kind === 'not-started') return all.because
  if (all.kind === 'unknown' || all.code === 0) return null
  if (all.said !== '') return all.said
  const who = user === undefined ? 'the engine' : `user ${user.uid}`
  for (const { args, objection } of tests) {
    const one = await tried(args)
    if (one.kind !== 'ended' || one.code === 0) continue
    // What the daemon cannot either, on a disk that is read-only, would not work with more rights.
    const daemon = await parts.tryAs({ program: 'test', args, ...bounds })
    if (daemon.kind === 'ended' && daemon.code === 0) return `${who} ${objection}`
  }
  return null
}

/** The program to start so that `program` runs in this way. Pure. */
export function startedBy(
  way: Way,
  program: string,
  args: readonly string[],
): { program: string; args: readonly string[] } {
  return way.kind === 'call' ? { program, args } : { program: 'setpriv', args: [...way.flags, '--', program, ...args] }
}

/**
 * The account that a package may have made for the engine. Without it a number serves that neither
 * distributions nor systemd give to anybody (uid.conf of systemd: 60578 to 61183 are unused).
 */
async function userFor(disk: Pick<Disk, 'read'>): Promise<User> {
  const file = '/etc/passwd'
  const text = await disk.read(file, { maxBytes: limits.accountsMaxBytes }).catch(() => new Uint8Array())
  return userIn(new TextDecoder().decode(text), 'banyan-engine') ?? { uid: freeId, gid: freeId }
}

const freeId = 61_173
